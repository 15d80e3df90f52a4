"""How long steps of training take, warm: what ``training.json`` says of time."""

from typing import Any

import numpy as np

WARMUP_STEPS = 10
"""Of each process, which trace graphs and fill caches: they are not counted."""


class StepTimes:
    """The steps of one process, in order, each timed from the batch in memory to its loss known and weights updated."""

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._samples: list[int] = []

    def __len__(self) -> int:
        return len(self._seconds)

    def add(self, seconds: float, samples: int) -> None:
        """Count one step and the samples of its batch."""
        self._seconds.append(seconds)
        self._samples.append(samples)

    def to_json(self, since: int = 0) -> dict[str, Any]:
        """Return ``step_ms`` and ``samples_per_s`` of the warm steps since number ``since``; None where there is none.

        ``samples_per_s`` is of the steps alone: reading and resizing samples, evaluation and saving are not in it.
        """
        begin = max(since, WARMUP_STEPS)
        seconds = np.array(self._seconds[begin:])
        if not len(seconds):
            return {"step_ms": None, "samples_per_s": None}
        low, middle, high = np.quantile(seconds, [0.1, 0.5, 0.9]) * 1e3
        step_ms = {
            "count": len(seconds), "mean": float(seconds.mean() * 1e3),
            "p10": float(low), "p50": float(middle), "p90": float(high),
        }  # fmt: skip
        return {"step_ms": step_ms, "samples_per_s": float(sum(self._samples[begin:]) / seconds.sum())}
