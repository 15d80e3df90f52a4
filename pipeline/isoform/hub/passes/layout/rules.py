"""What becomes of an operator whose tensors are stored in another order of axes.

For each operator, one function; to add one, write it and name it in `RULES`. It gets the node and the order of its
tensors (see `order`), and returns the same operator on the tensors as they are stored; None where it has none. Asking
changes nothing in the graph.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.layout.order import Perm, identity, inverse, keeps_order
from isoform.hub.passes.layout.reshape import reshaped


@dataclass(frozen=True)
class Stored:
    """An input as it is stored: ``value`` is the Transpose of that by ``perm``."""

    value: ir.Value
    perm: Perm


@dataclass(frozen=True)
class Widened:
    """An input of lower rank, read as it stands, with axes of size one put in."""

    sizes: Sequence[int]


Operand: TypeAlias = Stored | Widened | ir.Value | npt.NDArray[Any] | None
"""A stored tensor, one with more axes, a value read as it is, or a new constant."""


@dataclass(frozen=True)
class Moved:
    """The operator as it reads and gives tensors in the order in which they are stored.

    Attributes:
        perm: of each output: the output is the Transpose of what is stored by this.
    """

    inputs: Sequence[Operand]
    attributes: Mapping[str, Any]
    perm: Perm


Rule = Callable[[ir.Node, Perm], Moved | None]
_UNARY = [
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "Ceil", "Celu", "Clip", "Cos",
    "Cosh", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN",
    "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin",
    "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu",
]  # fmt: skip
_BROADCASTING = [
    "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor",
]  # fmt: skip
_REDUCING = [
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
]  # fmt: skip
_AXIS = {"ArgMax": 0, "ArgMin": 0, "DequantizeLinear": 1, "Gather": 0, "QuantizeLinear": 1, "Softmax": -1, "Split": 0}
_AXIS |= {"Concat": 0, "LogSoftmax": -1, "Hardmax": -1, "LayerNormalization": -1, "RMSNormalization": -1}
"""The axis where a node names none."""
SOFTMAX_OF_ONE_AXIS = 13
"""Before this opset a Softmax saw a matrix, which the order of axes decides."""


def rank_of(value: ir.Value | None) -> int | None:
    return None if value is None or value.shape is None else len(value.shape)


def _unary(node: ir.Node, perm: Perm) -> Moved | None:
    value = node.inputs[0]
    if value is None or rank_of(value) != len(perm) or len([each for each in node.outputs if list(each.uses())]) > 1:
        return None
    return Moved([Stored(value, perm), *node.inputs[1:]], node.attributes, perm)


def _quantizing(node: ir.Node, perm: Perm) -> Moved | None:
    """Scales of one axis stay with that axis."""
    moved, scale = _unary(node, perm), node.inputs[1]
    if moved is None or rank_of(scale) is None or node.attributes.get("block_size") is not None:
        return None
    return moved if rank_of(scale) == 0 else _with_axis(node, moved)


def _joining(node: ir.Node, perm: Perm) -> Moved | None:
    inputs = [Stored(value, perm) for value in node.inputs if value is not None and rank_of(value) == len(perm)]
    return _with_axis(node, Moved(inputs, node.attributes, perm)) if len(inputs) == len(node.inputs) else None


def _splitting(node: ir.Node, perm: Perm) -> Moved | None:
    value = node.inputs[0]
    if value is None or rank_of(value) != len(perm):
        return None
    return _with_axis(node, Moved([Stored(value, perm), *node.inputs[1:]], node.attributes, perm))


def _with_axis(node: ir.Node, moved: Moved) -> Moved:
    """Return ``moved`` with its axis where that is stored."""
    place = moved.perm[_axis(node) % len(moved.perm)]
    return Moved(moved.inputs, {**moved.attributes, "axis": ir.AttrInt64("axis", place)}, moved.perm)


def _axis(node: ir.Node) -> int:
    return node.attributes["axis"].as_int() if "axis" in node.attributes else _AXIS[node.op_type]


def _softmax(node: ir.Node, perm: Perm) -> Moved | None:
    """Along any axis; along the last one it stays so, as kernels have only that."""
    moved, last = _unary(node, perm), len(perm) - 1
    if moved is None or (_axis(node) % len(perm) == last and perm[-1] != last):
        return None
    return _with_axis(node, moved)


def _normalizing(node: ir.Node, perm: Perm) -> Moved | None:
    """Over the last axis alone, as long as that stays the last."""
    moved = _unary(node, perm)
    is_last = _axis(node) in (-1, len(perm) - 1) and perm[-1] == len(perm) - 1
    return moved if is_last else None


def _multiplying(node: ir.Node, perm: Perm) -> Moved | None:
    """A matrix applies to the last axis, wherever the others stand."""
    moved = _unary(node, perm) if rank_of(node.inputs[1]) == 2 else None
    return moved if len(perm) > 2 and perm[-1] == len(perm) - 1 else None


def _broadcasting(node: ir.Node, perm: Perm) -> Moved | None:
    """All tensors are stored alike; constants of lower rank get the missing axes."""
    if "broadcast" in node.attributes or rank_of(node.outputs[0]) != len(perm):
        return None
    inputs: list[Operand] = []
    for value in node.inputs:
        if value is not None and rank_of(value) == len(perm):
            inputs.append(Stored(value, perm))
        elif (widened := _widened(value, perm)) is not None:
            inputs.append(widened)
        else:
            return None
    return Moved(inputs, node.attributes, perm)


def _widened(value: ir.Value | None, perm: Perm) -> Operand:
    """Return an operand of lower rank as it is stored beside others of the full one."""
    array = constant(value)
    if value is None or value.shape is None or len(value.shape) > len(perm):
        return None
    sizes = [1] * (len(perm) - len(value.shape)) + [size if isinstance(size, int) else -1 for size in value.shape]
    if all(size == 1 for size in sizes):
        return value
    if array is not None:
        return np.transpose(array.reshape(sizes), inverse(perm))
    stored = [sizes[axis] for axis in inverse(perm)]
    return Widened(stored) if keeps_order(sizes, inverse(perm)) and sizes.count(-1) <= 1 else None


def _table(node: ir.Node, name: str, index: int) -> list[int] | None:
    """Return integers that older opsets have as an attribute and newer ones as a constant input."""
    if name in node.attributes:
        return list(node.attributes[name].as_ints())
    array = constant(node.inputs[index]) if index < len(node.inputs) else None
    return None if array is None else [int(item) for item in array.reshape(-1)]


def _given(node: ir.Node, name: str, index: int) -> bool:
    return name in node.attributes or (index < len(node.inputs) and node.inputs[index] is not None)


def _put(node: ir.Node, moved: Moved, name: str, index: int, numbers: Sequence[int]) -> Moved:
    """Return ``moved`` with integers in the attribute or input that `_table` reads them from."""
    if name in node.attributes:
        return Moved(moved.inputs, {**moved.attributes, name: ir.AttrInt64s(name, list(numbers))}, moved.perm)
    inputs = [*moved.inputs, *[None] * (index + 1 - len(moved.inputs))]
    starts = node.inputs[1] if node.op_type == "Slice" else None  # all of its integers have one type
    dtype = None if starts is None else starts.dtype
    inputs[index] = np.array(numbers, np.int64 if dtype is None else dtype.numpy())
    return Moved(inputs, moved.attributes, moved.perm)


def _padding(node: ir.Node, perm: Perm) -> Moved | None:
    moved, pads = _unary(node, perm), _table(node, "pads", 1)
    if moved is None:
        return None
    if _given(node, "axes", 3):
        axes = _table(node, "axes", 3)
        return None if axes is None else _put(node, moved, "axes", 3, [perm[axis % len(perm)] for axis in axes])
    if pads is None:
        return None
    rows = np.array(pads).reshape(2, -1)[:, list(inverse(perm))]
    return _put(node, moved, "pads", 1, rows.reshape(-1).tolist())


def _slicing(node: ir.Node, perm: Perm) -> Moved | None:
    moved = _unary(node, perm)
    starts = _table(node, "starts", 1)
    axes = _table(node, "axes", 3) if _given(node, "axes", 3) else list(range(len(starts or ())))
    if moved is None or axes is None or (starts is None and not _given(node, "axes", 3)):
        return None
    places = [perm[axis % len(perm)] for axis in axes]
    if "starts" in node.attributes:
        return Moved(moved.inputs, {**moved.attributes, "axes": ir.AttrInt64s("axes", places)}, perm)
    return _put(node, moved, "axes", 3, places)


def _reducing(node: ir.Node, perm: Perm) -> Moved | None:
    moved, axes = _unary(node, perm), _table(node, "axes", 1)
    if moved is None or not axes:
        return None
    places = sorted(perm[axis % len(perm)] for axis in axes)
    moved = _put(node, moved, "axes", 1, places)
    return moved if _keeps(node) else Moved(moved.inputs, moved.attributes, _without(perm, places))


def _extreme(node: ir.Node, perm: Perm) -> Moved | None:
    moved = _unary(node, perm)
    if moved is None:
        return None
    moved = _with_axis(node, moved)
    gone = [perm[_axis(node) % len(perm)]]
    return moved if _keeps(node) else Moved(moved.inputs, moved.attributes, _without(perm, gone))


def _keeps(node: ir.Node) -> bool:
    if node.op_type == "Squeeze":
        return False
    return "keepdims" not in node.attributes or bool(node.attributes["keepdims"].as_int())


def _without(perm: Perm, gone: Sequence[int]) -> Perm:
    """Return the order of the axes that are left."""
    kept = [axis for axis in perm if axis not in gone]
    return tuple(sorted(kept).index(axis) for axis in kept)


def _unsqueezing(node: ir.Node, perm: Perm) -> Moved | None:
    """New axes come at the same places of what is stored."""
    moved, axes = _unary(node, perm), _table(node, "axes", 1)
    if moved is None or axes is None:
        return None
    rank = len(perm) + len(axes)
    new = {axis % rank for axis in axes}
    old = [axis for axis in range(rank) if axis not in new]
    order = iter(perm)
    return Moved(moved.inputs, moved.attributes, tuple(k if k in new else old[next(order)] for k in range(rank)))


def _gathering(node: ir.Node, perm: Perm) -> Moved | None:
    """One index drops the axis; a row of them leaves it."""
    moved, rank = _unary(node, perm), rank_of(node.inputs[1])
    if moved is None or rank is None or rank > 1:
        return None
    moved = _with_axis(node, moved)
    gone = [perm[_axis(node) % len(perm)]]
    return moved if rank == 1 else Moved(moved.inputs, moved.attributes, _without(perm, gone))


def _repeating(node: ir.Node, perm: Perm) -> Moved | None:
    """Expand to a rank that the tensor has, and Tile: a number for each axis."""
    moved, numbers = _unary(node, perm), _table(node, "-", 1)
    if moved is None or numbers is None or len(numbers) != len(perm):
        return None
    return _put(node, moved, "-", 1, [numbers[axis] for axis in inverse(perm)])


def _reshaping(node: ir.Node, perm: Perm) -> Moved | None:
    value, result = node.inputs[0], node.outputs[0]
    if value is None or rank_of(value) != len(perm) or result.shape is None or constant(node.inputs[1]) is None:
        return None
    if perm == identity(len(perm)):
        return Moved([Stored(value, perm), *node.inputs[1:]], node.attributes, identity(len(result.shape)))
    assert value.shape is not None
    found = reshaped(list(value.shape), list(result.shape), perm)
    if found is None:
        return None
    target, order = found
    return Moved([Stored(value, perm), np.array(target, np.int64)], {}, order)


def is_right_factor(node: ir.Node, index: int) -> bool:
    """Return whether this input is the right side of a product of two computed tensors, each of rank 2 or more."""
    ranks = [rank_of(value) or 0 for value in node.inputs]
    return node.op_type == "MatMul" and node.domain == "" and index == 1 and min(ranks) > 1


def giving_ones_elsewhere(node: ir.Node, perm: Perm) -> Moved | None:
    """Return a Reshape that gives its result in another order, which moves axes of size one alone."""
    value, result = node.inputs[0], node.outputs[0]
    if node.op_type != "Reshape" or value is None or result.shape is None or constant(node.inputs[1]) is None:
        return None
    sizes = [result.shape[axis] for axis in inverse(perm)]
    target = [size if isinstance(size, int) else -1 for size in sizes]
    if not keeps_order(sizes, perm) or target.count(-1) > 1 or 0 in target:
        return None
    return Moved([Stored(value, identity(rank_of(value) or 0)), np.array(target, np.int64)], {}, perm)


RULES: dict[str, Rule] = {
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(_BROADCASTING, _broadcasting),
    **dict.fromkeys(_REDUCING, _reducing),
    **dict.fromkeys(["Softmax", "LogSoftmax", "Hardmax"], _softmax),
    **dict.fromkeys(["LayerNormalization", "RMSNormalization"], _normalizing),
    "ArgMax": _extreme,
    "ArgMin": _extreme,
    "Concat": _joining,
    "DequantizeLinear": _quantizing,
    "Expand": _repeating,
    "Gather": _gathering,
    "MatMul": _multiplying,
    "Pad": _padding,
    "QuantizeLinear": _quantizing,
    "Reshape": _reshaping,
    "Slice": _slicing,
    "Split": _splitting,
    "Squeeze": _reducing,
    "Tile": _repeating,
    "Unsqueeze": _unsqueezing,
}


def rule_of(node: ir.Node, opset: int) -> Rule | None:
    """Return the rule of ``node`` under the model's ``opset``; None where it wants its axes as they are."""
    rule = RULES.get(node.op_type) if node.domain == "" else None
    return None if rule is _softmax and opset < SOFTMAX_OF_ONE_AXIS else rule
