"""Fold what small constants alone determine, as ONNX' own reference evaluator computes it: sizes, axes, masks.

Exporters compute axes with Range and cast numbers with CastLike; until that is folded, ranks stay unknown. Tables of
angles are computed in float64, which not every format has. Weights are folded elsewhere, without being copied. Not
aware of operators that draw random numbers or hold bodies.
"""

import math
from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir as ir

from isoform.hub.passes.fold_weights import Array, alters_parameter, constant, initializer, mark_after
from isoform.hub.reference_evaluator import evaluator

LARGEST_BYTES = 1 << 16
LARGEST_WIDE_BYTES = 1 << 22
"""Of float64: the positions of 640 x 640 images in steps of 32 take 0.8 MB."""
_FOLDED = {
    "Abs", "Add", "And", "Cast", "CastLike", "Ceil", "Concat", "ConstantOfShape", "Div", "Equal", "Expand", "Floor",
    "Gather", "GatherND", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul",
    "Neg", "Not", "Or", "Pow", "Range", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum", "Reshape",
    "ScatterElements", "ScatterND", "Shape", "Size", "Slice", "Sqrt", "Squeeze", "Sub", "Tile", "Transpose", "Trilu",
    "Unsqueeze", "Where", "Xor",
}  # fmt: skip
_FOLDED_WIDE = {"Cos", "Einsum", "Exp", "Log", "Reciprocal", "Sin"}
"""In float64 alone: in float32 a runtime's own kernel is what the numbers of the others are held against."""


def fold_small(model: ir.Model) -> bool:
    """Replace such nodes by what they compute, in place, in bodies too; tell whether there was one."""
    is_changed = False
    for node in list(model.graph.all_nodes()):
        if node.graph is None or node.domain not in ("", "ai.onnx"):
            continue
        _resolve_type(node)
        if (
            node.op_type in _FOLDED | _FOLDED_WIDE
            and not alters_parameter(node)
            and not any(map(_is_result, node.outputs))
        ):
            opset = node.version or model.opset_imports.get("", 1)
            is_changed = _fold(node, opset) or is_changed
    return is_changed


def _is_result(value: ir.Value) -> bool:
    return value.is_graph_output()


def _fold(node: ir.Node, opset: int) -> bool:
    if node.op_type == "Size" and node.inputs[0] is not None:
        return _fold_size(node, node.inputs[0])
    inputs = [constant(value) for value in node.inputs]
    if any(value is not None and array is None for value, array in zip(node.inputs, inputs, strict=True)):
        return False
    known = [array for array in inputs if array is not None]
    is_wide = any(array.dtype == np.float64 for array in known)
    if node.op_type in _FOLDED_WIDE and not is_wide:
        return False
    largest = LARGEST_WIDE_BYTES if is_wide else LARGEST_BYTES
    if sum(array.nbytes for array in known) > largest or not _stays_small(node, inputs):
        return False
    _replace(node, evaluated(node, opset, inputs))
    return True


def _resolve_type(node: ir.Node) -> None:
    """Turn CastLike into Cast where the type is known: then it depends on nothing but the number."""
    like = node.inputs[1] if node.op_type == "CastLike" else None
    if like is not None and like.dtype is not None:
        node.resize_inputs(1)
        node.op_type = "Cast"
        node.attributes["to"] = ir.AttrInt64("to", int(like.dtype))


def _fold_size(node: ir.Node, value: ir.Value) -> bool:
    sizes = [] if value.shape is None else [dim for dim in value.shape if isinstance(dim, int)]
    if value.shape is None or len(sizes) < len(value.shape):
        return False
    _replace(node, [np.array(math.prod(sizes), np.int64)])
    return True


def _stays_small(node: ir.Node, inputs: Sequence[Array | None]) -> bool:
    """Return whether an operator whose result may be larger than its inputs keeps it small."""
    if node.op_type == "Einsum":
        return math.prod(array.size for array in inputs if array is not None) * 8 <= LARGEST_WIDE_BYTES
    sizes = inputs[1] if node.op_type in ("Expand", "Tile") else inputs[0]
    if node.op_type not in ("ConstantOfShape", "Expand", "Tile") or sizes is None:
        return node.op_type != "Range" or _length(inputs) <= LARGEST_BYTES
    item = inputs[0].nbytes if node.op_type != "ConstantOfShape" and inputs[0] is not None else 8
    return float(np.prod(sizes.astype(np.float64))) * item <= LARGEST_BYTES


def _length(inputs: Sequence[Array | None]) -> float:
    start, limit, delta = (float(array.reshape(-1)[0]) for array in inputs if array is not None)
    return abs((limit - start) / delta) if delta else np.inf


def evaluated(node: ir.Node, opset: int, inputs: Sequence[Array | None]) -> list[Array]:
    """Return what ONNX' own reference evaluator computes in ``node`` from ``inputs``, in their dtypes."""
    proto = ir.to_proto(node)
    names = [f"input_{place}" if array is not None else "" for place, array in enumerate(inputs)]
    del proto.input[:]
    proto.input.extend(names)
    unknown = onnx.TypeProto()
    known = [onnx.helper.make_value_info(name, unknown) for name in names if name]
    results = [onnx.helper.make_value_info(name, unknown) for name in proto.output]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([proto], "folded", known, results),
        opset_imports=[onnx.helper.make_opsetid("", opset)],
    )
    feeds = {name: array for name, array in zip(names, inputs, strict=True) if name}
    return [np.asarray(array) for array in evaluator(model).run(None, feeds)]


def _replace(node: ir.Node, results: Sequence[Array]) -> None:
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    for value, array in zip(node.outputs, results, strict=True):
        name, value.name = value.name, f"{value.name}/unfolded"
        folded = initializer(graph, str(name), array)
        mark_after(node, folded)
        ir.convenience.replace_all_uses_with(value, folded)
    graph.remove(node, safe=True)
