"""Do two graphs decide alike? Decisions of outputs, counted sample by sample, with a bound that few samples lower."""

from collections.abc import Sequence

import numpy as np

from isoform.core.cases import Tensors
from isoform.core.protocols import Array

LEAST = 0.99
_RESAMPLES = 2000


def judged(teacher: Sequence[Tensors], found: Sequence[Tensors]) -> tuple[float | None, float | None, bool]:
    """Return the share of samples decided alike, what it is at least (95 %), and whether that is enough."""
    alike = np.concatenate(
        [_alike(one[name], other[name]) for one, other in zip(teacher, found, strict=True) for name in one]
    )
    draws = np.random.default_rng(0).choice(alike, (_RESAMPLES, len(alike))).mean(axis=1)
    at_least = float(np.quantile(draws, 0.05))
    return float(alike.mean()), at_least, at_least >= LEAST


def _alike(one: Array, other: Array) -> Array:
    return decisions(one) == decisions(other)


def decisions(output: Array) -> Array:
    """Return what each row of an output decides: its largest element, or whether its one number is a half or more."""
    rows = output.reshape(-1, output.shape[-1] if output.ndim else 1)
    return rows.argmax(axis=1) if rows.shape[1] > 1 else (rows[:, 0] >= 0.5).astype(np.int64)
