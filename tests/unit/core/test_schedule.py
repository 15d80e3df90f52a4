"""Learning rates of every step, against values worked out by hand."""

import math

import pytest

from isoform.core.schedule import learning_rate
from isoform.core.training import TrainingPlan


def rates(**options: object) -> list[float]:
    """Return those of three epochs of two steps, beginning with 0.8."""
    plan = TrainingPlan(**{"epochs": 3, "learning_rate": 0.8} | options)  # type: ignore[arg-type]
    return [learning_rate(plan, step, 2) for step in range(6)]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"schedule": "constant"}, [0.8] * 6),
        ({"schedule": "linear"}, [0.8, 0.8, 1.6 / 3, 1.6 / 3, 0.8 / 3, 0.8 / 3]),
        # cos of 0, 30, 60, 90, 120 and 150 degrees
        (
            {"schedule": "cosine"},
            [0.8, 0.4 * (1 + math.sqrt(3) / 2), 0.6, 0.4, 0.2, 0.4 * (1 - math.sqrt(3) / 2)],
        ),
        ({"schedule": "step", "step_epochs": 1, "step_factor": 0.5}, [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]),
        ({"schedule": "step", "step_epochs": 2, "step_factor": 0.25}, [0.8, 0.8, 0.8, 0.8, 0.2, 0.2]),
        ({"schedule": "constant", "warmup_steps": 4}, [0.2, 0.4, 0.6, 0.8, 0.8, 0.8]),
        ({"schedule": "linear", "warmup_steps": 1}, [0.8, 0.8, 1.6 / 3, 1.6 / 3, 0.8 / 3, 0.8 / 3]),
        # two steps of warm-up, then cos of 0, 45, 90 and 135 degrees
        (
            {"schedule": "cosine", "warmup_steps": 2},
            [0.4, 0.8, 0.8, 0.4 * (1 + math.sqrt(0.5)), 0.4, 0.4 * (1 - math.sqrt(0.5))],
        ),
        ({"schedule": "cosine", "warmup_steps": 8}, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    ],
)  # fmt: skip
def test_a_schedule_gives_these_rates(options: dict[str, object], wanted: list[float]) -> None:
    assert rates(**options) == pytest.approx(wanted, rel=1e-12)
