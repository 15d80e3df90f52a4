"""Decision trees of the operator TreeEnsemble as tables: what every emitter reads of them; numpy only.

The numbers of comparisons, aggregations and transforms are those of the operator's specification.
"""

from typing import Any

import numpy as np

LESS_EQUAL, LESS, GREATER_EQUAL, GREATER, EQUAL, NOT_EQUAL, MEMBER = range(7)
AVERAGE, SUM, MIN, MAX = range(4)
POST_NONE, POST_SOFTMAX, POST_LOGISTIC, POST_SOFTMAX_ZERO, POST_PROBIT = range(5)


def members_of(listed: Any, modes: Any) -> Any:
    """Return [node, member], NaN where there is none; the list has one run a membership node, ended by NaN."""
    runs = iter(np.split(listed, np.flatnonzero(np.isnan(listed)) + 1))
    sets = [next(runs)[:-1] if mode == MEMBER else listed[:0] for mode in modes]
    table = np.full((len(modes), max(map(len, sets))), np.nan, listed.dtype)
    for row, members in zip(table, sets, strict=True):
        row[: len(members)] = members
    return table


def depth_of(roots: Any, if_true: Any, if_false: Any) -> int:
    """Return the most steps from a root to a leaf, which leads to itself."""
    steps, at = 0, np.unique(roots)
    while steps <= len(if_true):
        below = np.unique(np.concatenate([if_true[at], if_false[at]]))
        if np.array_equal(below, at):
            break
        steps, at = steps + 1, below
    return steps
