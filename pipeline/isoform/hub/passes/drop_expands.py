"""Leave out an Expand where what reads it broadcasts by itself.

Exporters write ``a / n.expand_as(a)`` so; kernels of broadcasting copy, and those of arithmetic do not need it.
"""

from collections.abc import Sequence

import onnx_ir as ir

_BROADCASTING = {
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Or",
    "Pow", "Sub", "Where", "Xor",
}  # fmt: skip


def drop_expands(model: ir.Model) -> None:
    """Let such operators read what is expanded, in place; shapes have to be inferred before."""
    for node in list(model.graph.all_nodes()):
        if node.op_type == "Expand" and node.domain == "":
            for reader, place in list(node.outputs[0].uses()):
                if reader.op_type in _BROADCASTING and reader.domain == "" and _is_needless(node, reader, place):
                    reader.replace_input_with(place, node.inputs[0])


def _is_needless(node: ir.Node, reader: ir.Node, place: int) -> bool:
    """Return whether the other inputs of ``reader`` bring every size that the Expand brings."""
    before, after = _sizes(node.inputs[0]), _sizes(node.outputs[0])
    others = [value for index, value in enumerate(reader.inputs) if index != place]
    if before is None or after is None:
        return False
    if any(_is_shape_of(node.inputs[1], value) for value in others):
        return True
    shapes = [shape for value in others if (shape := _sizes(value)) is not None]
    needed = {axis: size for axis, size in _from_the_end(after) if _at(before, axis) != size}
    is_brought = all(any(_at(shape, axis) == size for shape in shapes) for axis, size in needed.items())
    return None not in needed.values() and is_brought and max(map(len, shapes), default=0) >= len(after)


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
