"""Whether a number that a graph computes is the size of an axis of some tensor."""

import onnx_ir as ir

from isoform.hub.passes.drop_whole_slices import slice_bounds
from isoform.hub.passes.fold_weights import constant

_PASSING = ("Cast", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Unsqueeze")


def is_size_of(value: ir.Value | None, data: ir.Value, axis: int) -> bool:
    """Return whether ``value`` is read from the shape of ``data`` at ``axis``, or from that of one with the same size.

    Two dynamic sizes are the same only if they are the same named dimension.
    """
    node, place = value.producer() if value is not None else None, 0
    while node is not None and node.op_type in _PASSING:
        picked = _picked(node)
        if picked is None:
            return False
        place += picked
        node = node.inputs[0].producer() if node.inputs[0] is not None else None
    if node is None or node.op_type != "Shape":
        return False
    place += node.attributes["start"].as_int() if "start" in node.attributes else 0
    asked = node.inputs[0]
    return place == axis if asked is data else _is_same(asked, place, data, axis)


def _picked(node: ir.Node) -> int | None:
    """Return where the one element is that ``node`` takes; None where it takes more."""
    if node.op_type == "Gather":
        places = constant(node.inputs[1])
        return int(places.item()) if places is not None and places.size == 1 else None
    if node.op_type == "Slice":
        bounds = slice_bounds(node)
        is_one = bounds is not None and len(bounds) == 1 and bounds[0][1] + 1 == bounds[0][2]
        return bounds[0][1] if bounds is not None and is_one else None
    return 0


def _is_same(value: ir.Value | None, place: int, data: ir.Value, axis: int) -> bool:
    if value is None or value.shape is None or data.shape is None or not 0 <= place < len(value.shape):
        return False
    one, other = (
        dim.value if isinstance(dim, ir.SymbolicDim) else dim for dim in (value.shape[place], data.shape[axis])
    )
    return one is not None and one == other
