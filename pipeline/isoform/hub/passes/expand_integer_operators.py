"""Operators that quantise by themselves, as what they are short for: DequantizeLinear, an operator, QuantizeLinear.

Then the same rules hold for both spellings. Products that end in int32 become products of numbers where those
are exact: sums below 2^24, else of two halves of the weights. Not aware of what a target computes in integers.
"""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import Array, constant, initializer
from isoform.hub.passes.quantized.parameters import DEQUANTIZE, QUANTIZE

_LARGEST_EXACT = 2**24
_LARGEST_INTEGER = 255
_HALF = 16
"""A weight is this many times one half of it plus the other."""

Expansion = Callable[[ir.Graph, ir.Node], list[ir.Node] | None]


def expand_integer_operators(model: ir.Model) -> bool:
    """Expand those whose scales and zero points are constant, in place; tell whether there was one."""
    is_changed = False
    for node in list(model.graph):
        expansion = _EXPANSIONS.get(node.op_type) if node.domain == "" else None
        nodes = expansion(model.graph, node) if expansion is not None else None
        if nodes:
            result = nodes[-1].outputs[0]
            ir.convenience.replace_nodes_and_values(model.graph, node, [node], nodes, node.outputs, [result])
            is_changed = True
    return is_changed


def _q_linear_conv(graph: ir.Graph, node: ir.Node) -> list[ir.Node] | None:
    """Inputs: x, scale, zero, w, scale, zero, scale and zero of y, bias in steps of both scales."""
    scales = [constant(node.inputs[index]) for index in (1, 4)]
    if scales[0] is None or scales[1] is None or not _are_constant(node, range(1, 8)):
        return None
    x, w = _numbers(node, 0), _numbers(node, 3, axis=0)
    inputs, before = [x.outputs[0], w.outputs[0]], [x, w]
    if len(node.inputs) > 8 and node.inputs[8] is not None:
        scale = initializer(graph, f"{node.name}/bias_scale", (scales[0].reshape(()) * scales[1]).astype(np.float32))
        bias = _node(DEQUANTIZE, [node.inputs[8], scale], axis=0)
        before.append(bias)
        inputs.append(bias.outputs[0])
    conv = ir.Node("", "Conv", inputs, list(node.attributes.values()), num_outputs=1, name=node.name)
    conv.outputs[0].shape = node.outputs[0].shape
    return [*before, conv, _node(QUANTIZE, [conv.outputs[0], *node.inputs[6:8]])]


def _q_linear_mat_mul(graph: ir.Graph, node: ir.Node) -> list[ir.Node] | None:
    """Inputs: a, scale, zero, b, scale, zero, scale and zero of y; scales of columns for a constant b only."""
    if not _are_constant(node, (1, 2, 4, 5, 6, 7)) or not _is_one(node, (1, 2, 6, 7)):
        return None
    columns = constant(node.inputs[4])
    if columns is None or columns.ndim > 1:
        return None
    matrix = constant(node.inputs[3])
    if columns.size > 1 and (matrix is None or matrix.ndim != 2):
        return None
    sides = [_numbers(node, 0), _numbers(node, 3, axis=1)]
    product = ir.Node("", "MatMul", [side.outputs[0] for side in sides], num_outputs=1, name=node.name)
    product.outputs[0].shape = node.outputs[0].shape
    return [*sides, product, _node(QUANTIZE, [product.outputs[0], *node.inputs[6:8]])]


def _conv_integer(graph: ir.Graph, node: ir.Node) -> list[ir.Node] | None:
    weight, zero = constant(node.inputs[1]), _zero(node, 3)
    if weight is None or zero is None:
        return None
    centred = weight.astype(np.int32) - zero.reshape([-1] + [1] * (weight.ndim - 1) if zero.size > 1 else ())
    return _product(graph, node, "Conv", centred, np.abs(centred).reshape(len(centred), -1).sum(1).max(initial=0))


def _mat_mul_integer(graph: ir.Graph, node: ir.Node) -> list[ir.Node] | None:
    weight, zero = constant(node.inputs[1]), _zero(node, 3)
    rows = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else np.zeros(())
    if weight is None or zero is None or weight.ndim != 2 or (rows is not None and rows.size > 1):
        return None
    centred = weight.astype(np.int32) - zero
    return _product(graph, node, "MatMul", centred, np.abs(centred).sum(0).max(initial=0))


def _product(graph: ir.Graph, node: ir.Node, op_type: str, weight: Array, largest: int) -> list[ir.Node] | None:
    """Return the product of x without its zero point and ``weight``, both as numbers, as int32.

    Args:
        largest: the largest sum of a filter's sizes.
    """
    high = weight // _HALF
    is_small = largest * _LARGEST_INTEGER < _LARGEST_EXACT and np.abs(weight).max(initial=0) <= np.iinfo(np.int8).max
    parts = [weight] if is_small else [high, weight - high * _HALF]
    axes = 0 if op_type == "MatMul" else tuple(range(1, weight.ndim))
    if any(np.abs(part).sum(axes).max(initial=0) * _LARGEST_INTEGER >= _LARGEST_EXACT for part in parts):
        return None
    x = _node(DEQUANTIZE, [node.inputs[0], _one(graph, node), *_present(node, 2)])
    nodes, results = [x], []
    for place, part in enumerate(parts):
        stored = initializer(graph, f"{node.name}/weight{place}", part.astype(np.int8))
        numbers = _node(DEQUANTIZE, [stored, _one(graph, node)])
        inputs = [x.outputs[0], numbers.outputs[0]]
        product = ir.Node(
            "", op_type, inputs, list(node.attributes.values()), num_outputs=1, name=f"{node.name}/{place}"
        )
        nodes += [numbers, product, _node("Cast", [product.outputs[0]], to=int(ir.DataType.INT32))]
        results.append(nodes[-1].outputs[0])
    if len(results) == 1:
        return nodes
    factor = initializer(graph, f"{node.name}/half", np.array(_HALF, np.int32))
    scaled = _node("Mul", [results[0], factor])
    return [*nodes, scaled, _node("Add", [scaled.outputs[0], results[1]])]


def _numbers(node: ir.Node, index: int, axis: int | None = None) -> ir.Node:
    return _node(DEQUANTIZE, list(node.inputs[index : index + 3]), **({} if axis is None else {"axis": axis}))


def _node(op_type: str, inputs: list[ir.Value | None], **attributes: int) -> ir.Node:
    return ir.Node(
        "", op_type, inputs, [ir.AttrInt64(name, value) for name, value in attributes.items()], num_outputs=1
    )


def _one(graph: ir.Graph, node: ir.Node) -> ir.Value:
    return initializer(graph, f"{node.name}/one", np.ones((), np.float32))


def _present(node: ir.Node, index: int) -> list[ir.Value | None]:
    return [node.inputs[index]] if len(node.inputs) > index and node.inputs[index] is not None else []


def _zero(node: ir.Node, index: int) -> Array | None:
    """Return a weight's zero point, 0 where it is absent; None where it is computed."""
    if len(node.inputs) <= index or node.inputs[index] is None:
        return np.zeros((), np.int32)
    array = constant(node.inputs[index])
    return None if array is None else array.astype(np.int32)


def _are_constant(node: ir.Node, places: range | tuple[int, ...]) -> bool:
    return all(constant(node.inputs[place]) is not None for place in places)


def _is_one(node: ir.Node, places: tuple[int, ...]) -> bool:
    return all(getattr(constant(node.inputs[place]), "size", 0) == 1 for place in places)


_EXPANSIONS: dict[str, Expansion] = {
    "ConvInteger": _conv_integer,
    "MatMulInteger": _mat_mul_integer,
    "QLinearConv": _q_linear_conv,
    "QLinearMatMul": _q_linear_mat_mul,
}
