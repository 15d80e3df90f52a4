"""The learning rate of every step, the same numbers for every framework.

With S steps an epoch, E epochs, W steps of warm-up, and step i counted from 0 in epoch e = i // S:

    constant  1
    linear    1 - e / E                                        the same within an epoch
    cosine    (1 + cos(pi * (i - W) / (E * S - W))) / 2        1 until i = W (Loshchilov and Hutter 2016, no restarts)
    step      step_factor ** (e // step_epochs)

times the learning rate of the plan, and times (i + 1) / W in the first W steps (Goyal et al. 2017).
"""

import math

from isoform.core.training import TrainingPlan


def learning_rate(plan: TrainingPlan, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step, counted from 0 over all epochs."""
    epoch, warmup = step // steps_per_epoch, plan.warmup_steps
    if plan.schedule == "linear":
        factor = 1 - epoch / plan.epochs
    elif plan.schedule == "cosine":
        falling = max(1, plan.epochs * steps_per_epoch - warmup)
        factor = (1 + math.cos(math.pi * max(0, step - warmup) / falling)) / 2
    elif plan.schedule == "step":
        factor = plan.step_factor ** (epoch // plan.step_epochs)
    else:
        factor = 1.0
    warming = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return plan.learning_rate * factor * warming
