"""A Reshape of a tensor that is stored in another order of axes: which order its result then has."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

from isoform.hub.passes.layout.order import Perm, inverse

Group = tuple[list[int], list[int]]
"""Axes before and axes after that hold the same elements."""


def reshaped(before: Sequence[Any], after: Sequence[Any], perm: Perm) -> tuple[list[int], Perm] | None:
    """Return the target of the Reshape of what is stored, and the order of its result; None where there is none.

    A Reshape splits axes and joins neighbours; each group of these has to be together, and in order, in what is stored.

    Args:
        before: sizes of the tensor, a number or a named dimension; likewise ``after``, of the result.
    """
    groups = axis_groups(before, after)
    places = inverse(perm)  # place in what is stored to axis
    order: list[int] = []
    rest = {axes[0]: (axes, results) for axes, results in groups if axes}
    position = 0
    for axes, results in groups:  # axes of size one that come from nowhere, at the very front
        if axes:
            break
        order += results
    while position < len(places):
        axes, results = rest.get(places[position], ([], []))
        if not axes or list(places[position : position + len(axes)]) != axes:
            return None
        order += results
        position += len(axes)
    target = _target([before[axis] for axis in places], [after[axis] for axis in order])
    return None if target is None else (target, inverse(order))


def axis_groups(before: Sequence[Any], after: Sequence[Any]) -> list[Group]:
    """Return the groups of axes that a Reshape maps to each other, as small as the sizes tell."""
    groups: list[Group] = []
    left, right = 0, 0
    while left < len(before) or right < len(after):
        one, other = _size(before, left), _size(after, right)
        if one is not None and one == other:
            group = ([left], [right])
        elif one == 1 or other is None:
            group = ([left], [])
        elif other == 1 or one is None:
            group = ([], [right])
        else:
            group = _group(before, after, left, right) or _group_before_numbers(before, after, left, right)
        left, right = left + len(group[0]), right + len(group[1])
        groups.append(group)
    return _with_neighbours(groups)


def _size(sizes: Sequence[Any], axis: int) -> Any:
    """Return a number, the name of a dimension, or None behind the last; an unnamed dimension equals no other."""
    if axis >= len(sizes):
        return None
    size = sizes[axis]
    if isinstance(size, int):
        return size
    name = getattr(size, "value", size)
    return object() if name is None else str(name)


def _group(before: Sequence[Any], after: Sequence[Any], left: int, right: int) -> Group | None:
    """Return the axes from ``left`` and ``right`` on whose products of sizes are the first that are equal."""
    ends, products = [left, right], [1, 1]
    while products[0] != products[1] or ends == [left, right]:
        side = 0 if products[0] < products[1] or ends[0] == left else 1
        size = _size((before, after)[side], ends[side])
        if not isinstance(size, int):
            return None
        products[side] *= size
        ends[side] += 1
    return list(range(left, ends[0])), list(range(right, ends[1]))


def _group_before_numbers(before: Sequence[Any], after: Sequence[Any], left: int, right: int) -> Group:
    """Return the smallest group from ``left`` and ``right`` on behind which as many elements are left on both sides."""
    ends = itertools.product(range(left + 1, len(before)), range(right + 1, len(after)))
    for end, other in sorted(ends, key=sum):
        if _product(before[end:]) == _product(after[other:]) is not None:
            return list(range(left, end)), list(range(right, other))
    return list(range(left, len(before))), list(range(right, len(after)))


def _product(sizes: Sequence[Any]) -> int | None:
    return math.prod(sizes) if all(isinstance(size, int) for size in sizes) else None


def _with_neighbours(groups: Sequence[Group]) -> list[Group]:
    """Return the groups with each new axis of size one in the group before it, so that it stays beside that."""
    joined: list[Group] = []
    for axes, results in groups:
        if not axes and joined:
            joined[-1][1].extend(results)
        else:
            joined.append((list(axes), list(results)))
    return joined


def _target(before: Sequence[Any], after: Sequence[Any]) -> list[int] | None:
    """Return the numbers that Reshape wants: one axis may be computed, and others be as they are at the same place."""
    unknown = [axis for axis, size in enumerate(after) if not isinstance(size, int)]
    target = [size if isinstance(size, int) else -1 for size in after]
    if 0 in target:
        return None
    for axis in reversed(unknown):
        if target.count(-1) > 1 and axis < len(before) and _size(before, axis) == _size(after, axis):
            target[axis] = 0
    return target if target.count(-1) <= 1 else None
