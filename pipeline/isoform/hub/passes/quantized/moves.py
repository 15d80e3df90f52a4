"""Move integers where numbers would be moved: DequantizeLinear behind what computes nothing, QuantizeLinear before.

Both are exact. What is moved is a quarter of the bytes, and operators that compute come to stand between the two.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.quantized.parameters import (
    DEQUANTIZE,
    QUANTIZE,
    dequantizer,
    described,
    quantizer,
)
from isoform.hub.passes.quantized.requantize import skip
from isoform.hub.quantization import Quantization

MOVING = {
    "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "Pad", "Reshape", "Slice", "SpaceToDepth",
    "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
}  # fmt: skip
_EIGHT_BITS = ("int8", "uint8")
_NEAR_INTEGER = 1e-4


def move_integers(graph: ir.Graph) -> None:
    """Let moving operators of ``graph`` work on integers where they stand for numbers, in place."""
    for node in list(graph):
        if node.domain == "" and node.op_type in MOVING:
            _lower(graph, node)
    for node in reversed(list(graph)):
        if node.domain == "" and node.op_type in MOVING - {"Concat", "Split"}:
            _raise(graph, node)
    for node in list(graph):
        _cancel(graph, node)


def data_inputs(node: ir.Node) -> Sequence[ir.Value | None]:
    """Return what a moving operator moves; other inputs are places and sizes."""
    return node.inputs if node.op_type == "Concat" else node.inputs[:1]


def _lower(graph: ir.Graph, node: ir.Node) -> None:
    """Turn f(Dequantize(q)) into Dequantize(f(q))."""
    makers = [dequantizer(value) for value in data_inputs(node)]
    first = makers[0] if makers else None
    found = described(first)
    if first is None or found is None or found.dtype not in _EIGHT_BITS:
        return
    if not all(found.same_as(described(maker)) for maker in makers):
        return
    if any(maker is None or constant(maker.inputs[0]) is not None for maker in makers):
        if len(makers) == 1 and node.op_type in ("Transpose", "Unsqueeze"):
            _move_constant(graph, node, first, found)
        return
    rest = _other_inputs(graph, node, found)
    if found.axis is not None or rest is None:
        return
    inputs = [maker.inputs[0] for maker in makers if maker is not None]
    inner = _again(node, [*inputs, *rest], found)
    outer = [_pair(DEQUANTIZE, value, first) for value in inner.outputs]
    for old, new in zip(node.outputs, outer, strict=True):
        new.outputs[0].type, new.outputs[0].shape = old.type, old.shape
    ir.convenience.replace_nodes_and_values(
        graph, node, [node], [inner, *outer], node.outputs, [each.outputs[0] for each in outer]
    )


def _raise(graph: ir.Graph, node: ir.Node) -> None:
    """Turn Quantize(f(x)) into f(Quantize(x))."""
    last = quantizer(node.outputs[0])
    found, x = described(last), node.inputs[0]
    if last is None or found is None or x is None or found.dtype not in _EIGHT_BITS or dequantizer(x) is not None:
        return
    rest = _other_inputs(graph, node, found)
    if rest is None or constant(x) is not None:
        return
    first = _pair(QUANTIZE, x, last)
    first.outputs[0].shape = x.shape
    first.outputs[0].type = last.outputs[0].type or ir.TensorType(_ir_dtype(found))
    inner = _again(node, [first.outputs[0], *rest], found)
    ir.convenience.replace_nodes_and_values(
        graph, last, [last, node], [first, inner], last.outputs, inner.outputs
    )  # fmt: skip


def _cancel(graph: ir.Graph, node: ir.Node) -> None:
    """Skip a QuantizeLinear that only undoes a DequantizeLinear."""
    found = described(node)
    if node.op_type != QUANTIZE or found is None or found.axis is not None:
        return
    first = dequantizer(node.inputs[0])
    integers = first.inputs[0] if first is not None else None
    if integers is not None and found.same_as(described(first)) and skip(node.outputs[0], integers):
        graph.remove(node, safe=True)


def _move_constant(graph: ir.Graph, node: ir.Node, first: ir.Node, found: Quantization) -> None:
    """Turn what orders or adds axes of Dequantize(constant) into the DequantizeLinear of a view."""
    array, stored = constant(first.inputs[0]), first.inputs[0]
    assert array is not None
    assert stored is not None
    places = _places(node, array.ndim)
    if places is None:
        return
    moved = array.transpose([place for place in places if place is not None])
    for axis, place in enumerate(places):
        moved = np.expand_dims(moved, axis) if place is None else moved
    view = initializer(graph, f"{stored.name}/moved", moved)
    new = _pair(DEQUANTIZE, view, first)
    if found.axis is not None:
        new.attributes["axis"] = ir.AttrInt64("axis", places.index(found.axis))
    new.outputs[0].type, new.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
    ir.convenience.replace_nodes_and_values(graph, node, [node], [new], node.outputs, new.outputs)


def _places(node: ir.Node, rank: int) -> list[int | None] | None:
    """Return which axis each axis of the result was, None for a new one; None where that is computed."""
    if node.op_type == "Transpose":
        return [*node.attributes["perm"].as_ints()] if "perm" in node.attributes else [*range(rank)][::-1]
    axes = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if axes is None:
        return None
    new = {int(axis) % (rank + axes.size) for axis in axes.reshape(-1)}
    old = iter(range(rank))
    return [None if axis in new else next(old) for axis in range(rank + axes.size)]


def _other_inputs(graph: ir.Graph, node: ir.Node, found: Quantization) -> list[ir.Value | None] | None:
    """Return the inputs that are not moved; None where the operator needs a number that the integers do not have."""
    if node.op_type != "Pad":
        return [] if node.op_type == "Concat" else list(node.inputs[1:])
    if "pads" in node.attributes:  # before opset 11 the border's number was an attribute, always a float
        return None
    rest = list(node.inputs[1:])
    mode = node.attributes["mode"].as_string() if "mode" in node.attributes else "constant"
    if mode != "constant":
        return rest
    border = constant(rest[1]) if len(rest) > 1 and rest[1] is not None else np.zeros((), np.float32)
    if border is None:
        return None
    number = border.item()
    units = number / found.step + found.zero
    low, high = found.bounds
    if not low <= units <= high or abs(units - round(units)) > _NEAR_INTEGER:
        return None
    array = np.array(round(units), found.dtype)
    return [rest[0], initializer(graph, f"{node.name}/border", array), *rest[2:]]


def _again(node: ir.Node, inputs: Sequence[ir.Value | None], found: Quantization) -> ir.Node:
    new = ir.Node(
        node.domain, node.op_type, inputs, list(node.attributes.values()), num_outputs=len(node.outputs), name=node.name
    )
    for old, value in zip(node.outputs, new.outputs, strict=True):
        value.shape, value.type = old.shape, ir.TensorType(_ir_dtype(found))
    return new


def _pair(op_type: str, value: ir.Value, like: ir.Node) -> ir.Node:
    return ir.Node("", op_type, [value, *like.inputs[1:]], list(like.attributes.values()), num_outputs=1)


def _ir_dtype(found: Quantization) -> ir.DataType:
    return ir.DataType.from_numpy(np.dtype(found.dtype))
