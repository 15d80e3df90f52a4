"""The jobs behind the comparison of frameworks: steps of training and single inferences, timed in turns.

Each graph mode of a framework has a network of its own with the same weights, so that none profits from another. What a
mode answers is held against the framework's usual one. Not aware of frameworks: `steps_torch` and `steps_keras` are.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from isoform.core import machine
from isoform.core.frameworks import queries
from isoform.core.training import TrainingPlan
from isoform.data.dataset import Array
from isoform.jobs import turns
from isoform.jobs.measure import stop_collecting, timed
from isoform.jobs.training_epochs import Part


class Moded(Protocol):
    """A learner whose network runs in one graph mode."""

    def train(self, parts: Sequence[Part], learning_rate: float) -> tuple[float, int]:
        """Take one step."""

    def predict(self, inputs: Array) -> Array:
        """Return the outputs, without learning."""

    def state(self) -> dict[str, Any]:
        """Return weights and the optimizer's variables."""

    def restore(self, state: dict[str, Array]) -> None:
        """Take them over."""


Make = Callable[[TrainingPlan, str], Moded]


def open_modes(arguments: dict[str, Any], make: Make) -> dict[str, Any]:
    """Hold the `queries` of each mode open; see `isoform.jobs.turns.hold`.

    Args:
        arguments: framework, plan, samples (path of an npz), inputs (name of an array in it), labels (how many there
            are), modes, the usual one first, warmup_s, warmup_limit_s.

    Returns:
        query_ns: by query; differences: by mode, root mean square of its outputs' difference from the first mode's over
        that of the first mode's; refused: by mode, why it does not run; peak_rss_bytes: of the process once the first
        mode had trained and inferred.
    """
    plan = TrainingPlan(**arguments["plan"])
    inputs, labels = _batch(arguments, plan.batch_size)
    whole = [Part(inputs, labels, 1.0)]
    found: dict[str, Any] = {"query_ns": {}, "differences": {}, "refused": {}}
    first: Moded | None = None
    for mode in arguments["modes"]:
        try:
            learner = make(plan, mode)
            if first is not None:
                learner.restore({name: np.asarray(value) for name, value in first.state().items()})
                found["differences"][mode] = difference(learner.predict(inputs), first.predict(inputs))
            step = partial(learner.train, whole, plan.learning_rate)
            inference = partial(learner.predict, inputs[:1])
            asked: tuple[Callable[[], object], ...] = (step, inference)
            held = {
                name: turns.hold(name, timed(query), arguments["warmup_s"], arguments["warmup_limit_s"])
                for name, query in zip(queries(arguments["framework"], mode), asked, strict=True)
            }
        except Exception as error:  # a framework's compiler raises anything; it is told, not hidden
            if first is None:
                raise
            found["refused"][mode] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
            continue
        found["query_ns"] |= held
        if first is None:
            first, found["peak_rss_bytes"] = learner, machine.peak_resident_bytes()
    stop_collecting()
    return found


def difference(outputs: Array, usual: Array) -> float:
    """Return the root mean square of the difference over that of the usual outputs."""
    scale = float(np.sqrt(np.square(usual, dtype=np.float64).mean()))
    return float(np.sqrt(np.square(outputs.astype(np.float64) - usual).mean())) / (scale or 1.0)


def _batch(arguments: dict[str, Any], size: int) -> tuple[Array, Array]:
    """Return training samples, repeated where they are fewer than a batch, and labels drawn at random."""
    with np.load(Path(arguments["samples"]), allow_pickle=False) as archive:
        samples = archive[arguments["inputs"]]
    rng = np.random.default_rng(0)
    return samples[np.arange(size) % len(samples)], rng.integers(0, arguments["labels"], size)
