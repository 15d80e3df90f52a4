"""Rules for layers with weights, and for products of matrices (see `rules`)."""

from collections.abc import Sequence

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.quantized.attributes import integer, integers, rank_of, text_of
from isoform.hub.passes.quantized.group import Group, Operand, as_signed
from isoform.hub.passes.quantized.parameters import note

IMAGE_RANK = 4
MOST_AXES_BROADCAST = 4
_LARGEST_GAIN = 32.0
"""Output steps that a product of one step with one step may be: 100 were right, XNNPACK refuses 256, 1,600 overflow."""


def conv(group: Group) -> list[ir.Node] | None:
    """Return CONV_2D or DEPTHWISE_CONV_2D: weights around 0, bias in steps of both scales multiplied."""
    x, weight = group.data(0), group.weight(1, 0)
    if x is None or weight is None or rank_of(weight.value) != IMAGE_RANK:
        return None
    inputs = _with_bias(group, [x, weight], 2)
    return None if inputs is None else [group.result("Conv", inputs, activation=group.activation)]


def conv_transpose(group: Group) -> list[ir.Node] | None:
    """Return TRANSPOSE_CONV, cut to what is asked for; nothing is put after it, and there are no groups."""
    node, x, weight = group.node, group.data(0), group.weight(1, 1)
    if x is None or weight is None or group.is_clipped or rank_of(weight.value) != IMAGE_RANK:
        return None
    is_plain = text_of(node, "auto_pad", "NOTSET") == "NOTSET" and integer(node, "group", 1) == 1
    pads, dilations = integers(node, "pads"), integers(node, "dilations")
    if not is_plain or max(dilations, default=1) > 1 or min(pads, default=0) < 0 or "output_shape" in node.attributes:
        return None
    if any(integers(node, "output_padding")):
        return None
    inputs = _with_bias(group, [x, weight], 2)
    return None if inputs is None else [group.result("ConvTranspose", inputs)]


def _with_bias(group: Group, operands: Sequence[Operand], index: int) -> list[ir.Value] | None:
    if not group.holds(operands[0].quantization.scale * operands[1].quantization.scale, _LARGEST_GAIN):
        return None
    inputs = [operand.value for operand in operands]
    if index >= len(group.node.inputs) or group.node.inputs[index] is None:
        return inputs
    bias = group.bias(index, operands[0].quantization, operands[1].quantization)
    return None if bias is None else [*inputs, bias.value]


def gemm(group: Group) -> list[ir.Node] | None:
    node = group.node
    factors = [node.attributes[name].as_float() for name in ("alpha", "beta") if name in node.attributes]
    if integer(node, "transA", 0) or any(factor != 1.0 for factor in factors):
        return None
    is_transposed = bool(integer(node, "transB", 0))
    x, weight = group.data(0), group.weight(1, 0 if is_transposed else 1)
    if x is None or weight is None:
        return None
    inputs = _with_bias(group, [x, _rows(group, weight, is_transposed)], 2)
    if inputs is None or (len(inputs) == 3 and constant(inputs[2]).shape != constant(inputs[1]).shape[:1]):  # type: ignore[union-attr]
        return None
    return [group.result("Linear", inputs, activation=group.activation)]


def _rows(group: Group, weight: Operand, is_transposed: bool) -> Operand:
    """Return a matrix as [units, features]; a view."""
    array = constant(weight.value)
    assert array is not None
    if is_transposed:
        return weight
    found = weight.quantization.moved(0)
    value = initializer(group.graph, f"{weight.value.name}/rows", array.T)
    note(value, found)
    return Operand(value, found)


def matmul(group: Group) -> list[ir.Node] | None:
    """Return FULLY_CONNECTED for a constant matrix, else BATCH_MATMUL.

    XNNPACK multiplies by integers whose zero is 0 alone; LiteRT's own kernel takes ten times what the product of
    numbers takes there, which is what the graph says in full.
    """
    is_transposed = bool(integer(group.node, "transB", 0))
    x, matrix = group.data(0), group.weight(1, 0 if is_transposed else 1)
    if x is None or rank_of(group.node.inputs[0]) < 2:
        return None
    if matrix is not None and rank_of(matrix.value) == 2:
        rows = _rows(group, matrix, is_transposed)
        if not group.holds(x.quantization.scale * rows.quantization.scale, _LARGEST_GAIN):
            return None
        return [group.result("Linear", [x.value, rows.value], activation=group.activation)]
    right = group.data(1)
    is_plain = right is not None and constant(right.value) is None and constant(x.value) is None
    ranks = [rank_of(value) for value in group.node.inputs]
    if right is None or not is_plain or as_signed(right.quantization).zero_point.any() or group.is_clipped:
        return None
    if not 2 <= min(ranks) <= max(ranks) <= MOST_AXES_BROADCAST:
        return None
    if not group.holds(x.quantization.scale * right.quantization.scale, _LARGEST_GAIN):
        return None
    return [group.result("MatMul", [x.value, right.value])]
