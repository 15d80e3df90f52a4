"""Integers that are never negative, by the operators that compute them: places counted from the start alone.

Of an input that is known only where its declaration is noted.
"""

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant

_LARGEST = 1 << 20
_MOST_VALUES = 64
_COUNTING = {"ArgMax", "ArgMin", "NonZero", "Shape", "Size"}
_KEEPING = {
    "CumSum", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "ReduceSum", "Reshape", "Slice",
    "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
}  # fmt: skip
"""What holds of their first input holds of their results."""
_COMBINING = {"Add", "Concat", "Max", "Min", "Mul"}
_LOWEST = "isoform.lowest"


def note_lowest(model: ir.Model, lowest: Mapping[str, int | None]) -> None:
    """Note of inputs, by name, the smallest integer that a caller may give; None where any may be given."""
    for value in model.graph.inputs:
        value.meta[_LOWEST] = lowest.get(str(value.name))


def is_never_negative(value: ir.Value | None) -> bool:
    """Return whether the graph alone says that no integer in ``value`` is negative; False where it says nothing."""
    seen: set[ir.Value | None] = set()
    pending = [value]
    while pending:
        each = pending.pop()
        if each in seen:
            continue
        seen.add(each)
        sources = _sources(each)
        if sources is None or len(seen) > _MOST_VALUES:
            return False
        pending += sources
    return True


def _sources(value: ir.Value | None) -> Sequence[ir.Value | None] | None:
    """Return the values that must not be negative for ``value`` not to be; None where that is not known."""
    array = constant(value)
    if array is not None:
        return [] if array.size <= _LARGEST and array.dtype.kind in "biu" and bool((array >= 0).all()) else None
    if value is not None and value.is_graph_input():
        lowest = value.meta.get(_LOWEST)
        return [] if lowest is not None and lowest >= 0 else None
    node = value.producer() if value is not None else None
    if node is None or node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type in _COUNTING:
        return []
    if node.op_type in _COMBINING:
        return node.inputs
    if node.op_type == "Cast":
        return _of_cast(node.inputs[0])
    if node.op_type in _KEEPING:
        return node.inputs[:1]
    places = {"Mod": [0, 1], "Range": [0, 2], "Where": [1, 2]}.get(node.op_type)
    return None if places is None else [node.inputs[place] for place in places]


def _of_cast(source: ir.Value | None) -> Sequence[ir.Value | None] | None:
    if source is None or source.dtype is None:
        return None
    if source.dtype == ir.DataType.BOOL:
        return []
    return [source] if source.dtype.is_integer() else None
