"""What becomes of an operator that reads a transposed tensor, when the Transpose moves behind it.

For each operator, one function; to add one, write it and name it in `RULES`. None where the Transpose has to stay.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer

Perm = list[int]


@dataclass(frozen=True)
class Moved:
    """The operator as it reads the tensors before their Transposes.

    Attributes:
        perm: of the Transpose that follows each output.
    """

    inputs: Sequence[ir.Value | None]
    attributes: Mapping[str, Any]
    perm: Perm


Rule = Callable[[ir.Graph, ir.Node, Perm], Moved | None]
_UNARY = [
    "Abs", "Cast", "Ceil", "Clip", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity",
    "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin",
    "Softplus", "Softsign", "Sqrt", "Tanh",
]  # fmt: skip
_BROADCASTING = [
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Or",
    "PRelu", "Pow", "Sub", "Where",
]  # fmt: skip
_REDUCING = ["ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"]


def permutation(value: ir.Value | None) -> Perm | None:
    """Return the permutation if ``value`` comes out of a Transpose."""
    node = value.producer() if value is not None else None
    if node is None or node.op_type != "Transpose" or node.domain != "" or "perm" not in node.attributes:
        return None
    return [int(axis) for axis in node.attributes["perm"].as_ints()]


def _before(value: ir.Value | None) -> ir.Value | None:
    producer = value.producer() if value is not None else None
    assert producer is not None, "asked only of what a Transpose gives"
    return producer.inputs[0]


def _unary(graph: ir.Graph, node: ir.Node, perm: Perm) -> Moved | None:
    if permutation(node.inputs[0]) is None:
        return None
    return Moved([_before(node.inputs[0]), *node.inputs[1:]], node.attributes, perm)


def _quantizing(graph: ir.Graph, node: ir.Node, perm: Perm) -> Moved | None:
    """Scales of one axis stay with that axis."""
    moved = _unary(graph, node, perm)
    scale = node.inputs[1]
    if moved is None or scale is None or scale.shape is None:
        return None
    return moved if len(scale.shape) == 0 else _with_axis(moved, "axis", perm)


def _joining(graph: ir.Graph, node: ir.Node, perm: Perm) -> Moved | None:
    if any(permutation(value) != perm for value in node.inputs):
        return None
    return _with_axis(Moved([_before(value) for value in node.inputs], node.attributes, perm), "axis", perm)


def _splitting(graph: ir.Graph, node: ir.Node, perm: Perm) -> Moved | None:
    moved = _unary(graph, node, perm)
    return None if moved is None else _with_axis(moved, "axis", perm)


def _with_axis(moved: Moved, name: str, perm: Perm) -> Moved | None:
    if name not in moved.attributes:
        return None
    axis = moved.attributes[name].as_int() % len(perm)
    return Moved(moved.inputs, {**moved.attributes, name: ir.AttrInt64(name, perm[axis])}, perm)


def _broadcasting(graph: ir.Graph, node: ir.Node, perm: Perm) -> Moved | None:
    """Others have to be transposed alike, or constant: those are transposed once and for all."""
    inputs = [_aligned(graph, value, perm) for value in node.inputs]
    return None if None in inputs else Moved(inputs, node.attributes, perm)


def _aligned(graph: ir.Graph, value: ir.Value | None, perm: Perm) -> ir.Value | None:
    if permutation(value) is not None:
        return _before(value) if permutation(value) == perm else None
    producer = value.producer() if value is not None else None
    if producer is not None and producer.op_type == "DequantizeLinear":
        scale, stored = producer.inputs[1], _moved_constant(graph, producer.inputs[0], perm)
        if stored is None or scale is None or scale.shape is None or len(scale.shape):
            return None
        again = ir.node("DequantizeLinear", [stored, *producer.inputs[1:]])
        graph.insert_after(producer, again)
        return again.outputs[0]
    return _moved_constant(graph, value, perm)


def _moved_constant(graph: ir.Graph, value: ir.Value | None, perm: Perm) -> ir.Value | None:
    array = constant(value)
    if value is None or array is None or array.ndim > len(perm):
        return None
    if array.size == 1 and array.ndim == 0:
        return value
    name = f"{value.name}/moved{''.join(map(str, perm))}"
    if name in graph.initializers:
        return graph.initializers[name]
    array = array.reshape([1] * (len(perm) - array.ndim) + list(array.shape))
    return initializer(graph, name, np.transpose(array, np.argsort(perm)))


def _padding(graph: ir.Graph, node: ir.Node, perm: Perm) -> Moved | None:
    moved, table = _unary(graph, node, perm), constant(node.inputs[1])
    if moved is None or table is None or len(node.inputs) > 3:
        return None
    rows = table.reshape(2, -1)[:, np.argsort(perm)]
    pads = initializer(graph, f"{node.outputs[0].name}/pads", np.ascontiguousarray(rows).reshape(-1))
    return Moved([moved.inputs[0], pads, *node.inputs[2:]], node.attributes, perm)


def _slicing(graph: ir.Graph, node: ir.Node, perm: Perm) -> Moved | None:
    moved = _unary(graph, node, perm)
    if moved is None:
        return None
    axes = constant(node.inputs[3]) if len(node.inputs) > 3 else np.arange(len(perm))
    if axes is None or (len(node.inputs) <= 3 and not _lists_all(node.inputs[1], len(perm))):
        return None
    places = np.array([perm[int(axis) % len(perm)] for axis in axes], np.int64)
    value = initializer(graph, f"{node.outputs[0].name}/axes", places)
    return Moved([*moved.inputs[:3], value, *node.inputs[4:]], node.attributes, perm)


def _lists_all(starts: ir.Value | None, rank: int) -> bool:
    return starts is not None and starts.shape is not None and starts.shape.dims == (rank,)


def _reducing(graph: ir.Graph, node: ir.Node, perm: Perm) -> Moved | None:
    moved = _unary(graph, node, perm)
    axes = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if moved is None or axes is None or axes.size == 0:
        return None
    places = sorted(perm[int(axis) % len(perm)] for axis in axes)
    value = initializer(graph, f"{node.outputs[0].name}/axes", np.array(places, np.int64))
    is_kept = node.op_type != "Squeeze" and ("keepdims" not in node.attributes or node.attributes["keepdims"].as_int())
    return Moved([moved.inputs[0], value], node.attributes, perm if is_kept else _without(perm, places))


def _extreme(graph: ir.Graph, node: ir.Node, perm: Perm) -> Moved | None:
    moved = _unary(graph, node, perm)
    with_axis = None if moved is None else _with_axis(moved, "axis", perm)
    if with_axis is None:
        return None
    is_kept = "keepdims" not in node.attributes or node.attributes["keepdims"].as_int()
    gone = [with_axis.attributes["axis"].as_int()]
    return with_axis if is_kept else Moved(with_axis.inputs, with_axis.attributes, _without(perm, gone))


def _without(perm: Perm, gone: Sequence[int]) -> Perm:
    """Return the permutation of the axes that are left."""
    kept = [axis for axis in perm if axis not in gone]
    return [sorted(kept).index(axis) for axis in kept]


RULES: dict[str, Rule] = {
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(_BROADCASTING, _broadcasting),
    **dict.fromkeys(_REDUCING, _reducing),
    "ArgMax": _extreme,
    "ArgMin": _extreme,
    "Concat": _joining,
    "DequantizeLinear": _quantizing,
    "Pad": _padding,
    "QuantizeLinear": _quantizing,
    "Slice": _slicing,
    "Split": _splitting,
    "Squeeze": _reducing,
}
