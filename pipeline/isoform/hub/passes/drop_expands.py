"""Leave out an Expand where what reads it broadcasts by itself.

Exporters write ``a / n.expand_as(a)`` so; kernels of broadcasting copy, and those of arithmetic do not need it.
"""

from collections.abc import Sequence

import onnx_ir as ir

from isoform.hub.passes.axis_sizes import is_size_of
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.moments import reduced

_BROADCASTING = {
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Or",
    "Pow", "Sub", "Where", "Xor",
}  # fmt: skip


_SINGLE = {"Cast", "Not", *_BROADCASTING}
"""What works on each element by itself, where all else that it reads is one number."""
_REDUCING = {"ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"}
"""What works on each row by itself, where no axis that is expanded is reduced."""


def drop_expands(model: ir.Model) -> bool:
    """Let such operators read what is expanded, in place; shapes have to be inferred before.

    Returns:
        Whether shapes have changed on the way to them.
    """
    is_changed = False
    for node in list(model.graph.all_nodes()):
        if node.op_type == "Expand" and node.domain == "" and not node.outputs[0].is_graph_output():
            for reader, place in list(node.outputs[0].uses()):
                passed, partners = _passed(node, reader, place)
                if partners and not partners & passed:
                    reader.replace_input_with(place, node.inputs[0])
                    is_changed = is_changed or bool(passed)
                    _forget_shapes(passed)
    return is_changed


_Values = set[ir.Value | None]


def _passed(node: ir.Node, reader: ir.Node, place: int) -> tuple[_Values, _Values]:
    """Return the values between the Expand and all that broadcasts by itself, and what else that reads.

    Both are empty where something does not broadcast.
    """
    others = [value for index, value in enumerate(reader.inputs) if index != place]
    if reader.domain == "" and reader.op_type in _BROADCASTING and _is_needless(node, others):
        return set(), set(others)
    result = reader.outputs[0]
    is_single = reader.domain == "" and reader.op_type in _SINGLE and all(map(_is_number, others))
    if not (is_single or _reduces_other_axes(node, reader)) or result.is_graph_output():
        return set(), set()
    passed: _Values = {result}
    partners: _Values = set()
    for use in result.uses():
        inner, beside = _passed(node, use.node, use.idx)
        if not beside:
            return set(), set()
        passed |= inner
        partners |= beside
    return passed, partners


def _forget_shapes(values: _Values) -> None:
    for value in values:
        if value is not None:
            value.shape = None


def _is_number(value: ir.Value | None) -> bool:
    array = constant(value)
    return array is not None and array.size == 1


def _reduces_other_axes(node: ir.Node, reader: ir.Node) -> bool:
    """Return whether ``reader`` keeps all axes, and reduces some that the Expand leaves as they are."""
    found = reduced(reader) if reader.op_type in _REDUCING and reader.domain == "" else None
    before, after = _sizes(node.inputs[0]), _sizes(node.outputs[0])
    if found is None or before is None or after is None or len(before) != len(after):
        return False
    return all(before[axis] == after[axis] and before[axis] is not None for axis in found[1])


def _is_needless(node: ir.Node, others: Sequence[ir.Value | None]) -> bool:
    """Return whether the other inputs of a reader bring every size that the Expand brings."""
    before, after = _sizes(node.inputs[0]), _sizes(node.outputs[0])
    if before is None or after is None:
        return False
    if any(_is_shape_of(node.inputs[1], value) for value in others):
        return True
    known = [value for value in others if _sizes(value) is not None]
    needed = [(axis, size) for axis, size in _from_the_end(after) if size is None or _at(before, axis) != size]
    is_brought = all(any(_brings(value, axis, size, node) for value in known) for axis, size in needed)
    return is_brought and max((len(_sizes(value) or ()) for value in known), default=0) >= len(after)


def _brings(value: ir.Value | None, axis: int, size: int | str | None, node: ir.Node) -> bool:
    """Return whether ``value`` has, at an axis counted from the end, the size that the Expand gives there."""
    shape = _sizes(value) or []
    if size is not None and _at(shape, axis) == size:
        return True
    joined = node.inputs[1].producer() if node.inputs[1] is not None else None
    if value is None or joined is None or joined.op_type != "Concat" or -axis > len(shape):
        return False
    parts = list(joined.inputs)
    has_one_each = all(part is not None and part.shape is not None and list(part.shape) == [1] for part in parts)
    return has_one_each and -axis <= len(parts) and is_size_of(parts[axis], value, axis + len(shape))


def _is_shape_of(target: ir.Value | None, value: ir.Value | None) -> bool:
    asked = target.producer() if target is not None else None
    is_whole = asked is not None and asked.op_type == "Shape" and not {"start", "end"} & set(asked.attributes)
    return asked is not None and is_whole and asked.inputs[0] is value


def _sizes(value: ir.Value | None) -> list[int | str | None] | None:
    if value is None or value.shape is None:
        return None
    return [dim if isinstance(dim, int) else dim.value for dim in value.shape]


def _from_the_end(shape: Sequence[int | str | None]) -> list[tuple[int, int | str | None]]:
    return [(axis - len(shape), size) for axis, size in enumerate(shape)]


def _at(shape: Sequence[int | str | None], axis: int) -> int | str | None:
    """Return the size of an axis counted from the end; 1 where there is none."""
    return shape[axis] if -axis <= len(shape) else 1
