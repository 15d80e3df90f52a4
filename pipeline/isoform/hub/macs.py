"""Multiply-accumulates of one layer from its sizes: ONNX' layers, and those that ONNX Runtime makes of them.

Counted are the products of layers, which is where time goes; what adds, compares or moves counts as none. Not aware of
where sizes come from: declared, inferred or observed.
"""

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import onnx_ir as ir

Shape: TypeAlias = tuple[int, ...]
Sizes: TypeAlias = Callable[[ir.Value | None], Shape | None]

RECURRENT = ("DynamicQuantizeLSTM", "GRU", "LSTM", "RNN")
_CONVOLUTIONS: Mapping[str, int] = {
    "Conv": 1, "ConvInteger": 1, "DeformConv": 1, "FusedConv": 1, "NhwcFusedConv": 1, "QLinearConv": 3,
}  # fmt: skip
"""By operator, the place of the weight among its inputs."""
_PRODUCTS: Mapping[str, int] = {
    "DynamicQuantizeMatMul": 1, "FusedGemm": 1, "FusedMatMul": 1, "Gemm": 1, "MatMul": 1, "MatMulInteger": 1,
    "MatMulIntegerToFloat": 1, "QGemm": 3, "QLinearMatMul": 3, "TransposeMatMul": 1,
}  # fmt: skip
_ATTENTION = ("Attention", "MultiHeadAttention")
LAYERS = frozenset({
    *_CONVOLUTIONS, *_PRODUCTS, *RECURRENT, *_ATTENTION, "ConvTranspose", "Einsum", "MatMulNBits",
})  # fmt: skip
"""Operators that multiply and accumulate."""
_OF_TWO_MATRICES = ("FusedGemm", "Gemm", "QGemm")


def declared(value: ir.Value | None) -> Shape | None:
    """Return the sizes that a value of the graph has, or None where one of them is not a number."""
    if value is None or value.shape is None or not all(isinstance(dim, int) for dim in value.shape):
        return None
    return tuple(int(dim) for dim in value.shape if isinstance(dim, int))


def is_layer(node: ir.Node) -> bool:
    """Return whether a node multiplies and accumulates."""
    return node.op_type in LAYERS and (node.op_type != "Einsum" or len(node.inputs) > 1)


def macs(node: ir.Node, sizes: Sizes = declared) -> int | None:
    """Return the multiply-accumulates of a layer, padding counted as if it were data; None where a size is not known.

    Recurrent layers are taken at their longest sequence, attention without a mask.
    """
    name, x, y = node.op_type, sizes(node.inputs[0]), sizes(node.outputs[0])
    if name in RECURRENT:
        return _recurrent(node, x, sizes)
    if name == "Einsum":
        return _einsum(node, sizes)
    if y is None:
        return None
    if name in _CONVOLUTIONS:
        weight = sizes(node.inputs[_CONVOLUTIONS[name]])
        return None if weight is None else math.prod(y) * math.prod(weight[1:])
    if name == "ConvTranspose":
        weight = sizes(node.inputs[1])
        return None if x is None or weight is None else math.prod(x) * math.prod(weight[1:])
    if name == "MatMulNBits":
        return math.prod(y) * node.attributes["K"].as_int()
    if name in _ATTENTION:
        return _attention(node, x, y, sizes)
    inner = _inner(node, x, sizes(node.inputs[_PRODUCTS[name]]))
    return None if inner is None else math.prod(y) * inner


def _inner(node: ir.Node, x: Shape | None, weight: Shape | None) -> int | None:
    """Return the size of the axis that a product sums over, from whichever side is known."""
    is_plain = node.op_type in _OF_TWO_MATRICES
    if x:
        return x[0 if is_plain else -2] if _flag(node, "transA") else x[-1]
    if weight:
        return weight[-1] if _flag(node, "transB") or len(weight) == 1 else weight[-2]
    return None


def _recurrent(node: ir.Node, x: Shape | None, sizes: Sizes) -> int | None:
    """Return steps x batch x both weights of all directions; x is [steps, batch, features], or the other way round."""
    weight, recurrent = sizes(node.inputs[1]), sizes(node.inputs[2])
    if x is None or weight is None or recurrent is None:
        return None
    return x[0] * x[1] * (math.prod(weight) + math.prod(recurrent))


def _attention(node: ir.Node, x: Shape | None, y: Shape, sizes: Sizes) -> int | None:
    """Return the products of queries with keys, and of their weights with values: (|Q| + |Y|) x keys."""
    other = sizes(node.inputs[1]) if len(node.inputs) > 1 else None
    if x is None or other is None or len(x) > 4 or len(other) > 4:
        return None
    if node.op_type == "Attention" and node.domain == "com.microsoft":  # its own projection to queries, keys and values
        rows, steps = x[0] * x[1], x[1]
        return rows * x[2] * other[1] + (rows * other[1] // 3 + math.prod(y)) * steps
    past = sizes(node.inputs[4]) if node.domain == "" and len(node.inputs) > 4 else None
    return (math.prod(x) + math.prod(y)) * (other[-2] + (past[-2] if past else 0))


def _einsum(node: ir.Node, sizes: Sizes) -> int | None:
    """Return the product of all sizes that two operands name, each name once; no ellipsis, and not three operands."""
    equation = node.attributes["equation"].as_string().replace(" ", "")
    terms, shapes = equation.partition("->")[0].split(","), [sizes(value) for value in node.inputs]
    if "." in equation or len(shapes) != 2 or len(terms) != 2:
        return None
    named: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        if shape is None or len(shape) != len(term):
            return None
        named.update(zip(term, shape, strict=True))
    return math.prod(named.values())


def _flag(node: ir.Node, name: str) -> bool:
    return name in node.attributes and bool(node.attributes[name].as_int())
