"""Training options: what they may be, and how others are refused."""

from typing import Any

import pytest

from isoform.core.training import NAMES, TrainingPlan
from isoform.errors import UsageError


@pytest.mark.parametrize(
    ("options", "what", "hint"),
    [
        ({"epochs": -1}, "epochs is -1.", "Give a whole number from 0 on."),
        ({"epochs": 2.5}, "epochs is 2.5.", "Give a whole number from 0 on."),
        ({"epochs": "three"}, "epochs is 'three'.", "Give a whole number from 0 on."),
        ({"epochs": True}, "epochs is True.", "Give a whole number from 0 on."),
        ({"batch_size": 0}, "batch_size is 0.", "Give a whole number from 1 on."),
        ({"learning_rate": float("nan")}, "learning_rate is nan.", "Give a number from 0 on."),
        ({"learning_rate": float("inf")}, "learning_rate is inf.", "Give a number from 0 on."),
        (
            {"schedule": "cosin"}, "schedule is 'cosin'.",
            "Did you mean 'cosine'? One of: constant, linear, cosine, step.",
        ),
        ({"keep": "all"}, "keep is 'all'.", "One of: last, best."),
        ({"validation_share": 1.0}, "validation_share is 1.0.", "Give a share below 1, such as 0.1."),
        (
            {"epoch": 3}, "There is no training option 'epoch'.",
            f"Did you mean 'epochs'? One of: {', '.join(NAMES)}.",
        ),
    ],
)  # fmt: skip
def test_what_an_option_may_not_be_is_refused_with_what_it_may(options: dict[str, Any], what: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        TrainingPlan().with_options(options)
    assert (caught.value.what, caught.value.hint) == (what, hint)


def test_options_replace_those_of_the_plan() -> None:
    plan = TrainingPlan(epochs=7, seed=2).with_options({"seed": 3, "learning_rate": 1})
    assert (plan.epochs, plan.seed, plan.learning_rate) == (7, 3, 1)


@pytest.mark.parametrize(
    ("options", "share"),
    [
        ({}, 0.0), ({"patience": 2}, 0.1), ({"keep": "best"}, 0.1), ({"validation_share": 0.3}, 0.3),
        ({"validation_share": 0.3, "keep": "best"}, 0.3),
    ],
)  # fmt: skip
def test_samples_are_held_out_only_where_something_is_judged_by_them(options: dict[str, Any], share: float) -> None:
    assert TrainingPlan(**options).held_out == share
