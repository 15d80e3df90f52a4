"""Look one row of a table up once where it is looked up at every place, as for kinds of tokens that are not given.

Arithmetic broadcasts the row. The table stays as it is: it is a parameter.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import Array, constant, initializer

_LARGEST = 1 << 16
_MOVING = {"Expand", "Identity", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
_LOOKING_UP = {"Gather", "GatherElements"}
_BROADCASTING = {"Add", "Div", "Mul", "Sub"}


def gather_once(model: ir.Model) -> None:
    """Give such a Gather one place to look up, in place; shapes have to be inferred before."""
    for node in list(model.graph):
        if node.op_type != "Gather" or node.domain != "" or constant(node.inputs[0]) is None:
            continue
        place, places = _same(node.inputs[1]), node.inputs[1]
        if place is None or places is None or places.shape is None or constant(places) is not None:
            continue
        if _axis(node) == 0 and all(_broadcasts(use.node, use.idx, node.outputs[0]) for use in node.outputs[0].uses()):
            _rewrite(model.graph, node, np.full([1] * len(places.shape), place))


def _same(value: ir.Value | None) -> int | None:
    """Return the one integer that stands everywhere in ``value``; None where that is not known."""
    array = _origin(value, _MOVING | _LOOKING_UP)
    if array is None or array.dtype.kind != "i" or not 0 < array.size <= _LARGEST:
        return None
    first = int(array.reshape(-1)[0])
    return first if bool((array == first).all()) else None


def _origin(value: ir.Value | None, passing: set[str]) -> Array | None:
    """Return the constant whose elements ``value`` holds, some of them or all, moved; None where there is none."""
    array = constant(value)
    node = value.producer() if value is not None and array is None else None
    if node is None or node.domain != "" or node.op_type not in passing:
        return array
    if node.op_type in _LOOKING_UP and not _is_inside(node):
        return None
    return _origin(node.inputs[0], passing)


def _is_inside(node: ir.Node) -> bool:
    """Return whether all places that ``node`` looks up are there, whatever the inputs: no call is refused for one."""
    places, shape = _origin(node.inputs[1], _MOVING), node.inputs[0].shape if node.inputs[0] is not None else None
    size = None if shape is None else shape[_axis(node) % len(shape)]
    return places is not None and places.size > 0 and isinstance(size, int) and bool((abs(places) < size).all())


def _axis(node: ir.Node) -> int:
    return node.attributes["axis"].as_int() if "axis" in node.attributes else 0


def _broadcasts(reader: ir.Node, place: int, value: ir.Value) -> bool:
    """Return whether ``reader`` gives the same of one row, its other operand having all sizes of ``value``."""
    if reader.op_type not in _BROADCASTING or reader.domain != "":
        return False
    other, wanted = _sizes(reader.inputs[1 - place]), _sizes(value)
    return reader.inputs[1 - place] is not value and None not in wanted and other[-len(wanted) :] == wanted


def _sizes(value: ir.Value | None) -> list[int | str | None]:
    if value is None or value.shape is None:
        return [None]
    return [dim if isinstance(dim, int) else dim.value for dim in value.shape]


def _rewrite(graph: ir.Graph, node: ir.Node, places: Array) -> None:
    result = node.outputs[0]
    once = initializer(graph, f"{result.name}/once", places.astype(np.int64))
    node.replace_input_with(1, once)
    if result.shape is not None:
        result.shape = ir.Shape([*places.shape, *list(result.shape)[places.ndim :]])
