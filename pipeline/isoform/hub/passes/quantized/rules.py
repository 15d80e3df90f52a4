"""Which groups LiteRT has an integer kernel for, and what its kernel asks of scales and zero points.

For each operator, one function; to add one, write it and name it in `RULES`. None where the operator has to stay one of
numbers. What comes back ends in the node whose output are the integers.
"""

from collections.abc import Callable, Sequence

import onnx_ir as ir

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN, FUSED_DOMAIN, ONNX_DOMAIN, QUANTIZED_DOMAIN
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.quantized.attributes import integer, rank_of, text_of
from isoform.hub.passes.quantized.group import Group, Operand
from isoform.hub.passes.quantized.layers import IMAGE_RANK, MOST_AXES_BROADCAST, conv, conv_transpose, gemm, matmul
from isoform.hub.passes.quantized.parameters import note

Rule = Callable[[Group], list[ir.Node] | None]
_NEAR = 1e-6
_LARGEST_GAIN, _LARGEST_PRODUCT = 64.0, 2.0
"""Output steps that a step of an input, or a product of two, may be: 67 and 1.3 were right, 500 and 133 overflow."""
_SMALLEST_SWISH_STEP = 0.004
"""An input step from which on HARD_SWISH is precise: at 0.00005 all values were a step off."""


def _arithmetic(group: Group) -> list[ir.Node] | None:
    """Return ADD, SUB or MUL, of two scales into a third."""
    operands = [group.data(index) or group.number(index) for index in (0, 1)]
    x, y = operands
    if x is None or y is None or (constant(x.value) is not None and constant(y.value) is not None):
        return None
    shapes = [value.shape for value in group.node.inputs if value is not None]
    if None in shapes or (shapes[0] != shapes[1] and max(map(rank_of, group.node.inputs)) > MOST_AXES_BROADCAST):
        return None
    scales = x.quantization.step, y.quantization.step
    is_product = group.node.op_type == "Mul"
    if not group.holds(*((scales[0] * scales[1], _LARGEST_PRODUCT) if is_product else (max(scales), _LARGEST_GAIN))):
        return None
    return [group.result(group.node.op_type, [x.value, y.value], activation=group.activation)]


def _extreme(group: Group) -> list[ir.Node] | None:
    """Return MAXIMUM or MINIMUM, whose three scales are one."""
    operands = [group.data(index) for index in range(len(group.node.inputs))]
    if len(operands) != 2 or group.is_clipped or not _all_alike(group, operands):
        return None
    return [group.result(group.node.op_type, [operand.value for operand in operands if operand is not None])]


def _all_alike(group: Group, operands: Sequence[Operand | None]) -> bool:
    return all(
        operand is not None and constant(operand.value) is None and group.output.same_as(operand.quantization)
        for operand in operands
    )


def _unary(group: Group) -> list[ir.Node] | None:
    """Return a kernel that takes any scale and gives any: rescaled, or read from a table of 256."""
    x = group.data(0)
    if x is None or group.is_clipped or constant(x.value) is not None:
        return None
    if not group.holds(x.quantization.scale, _LARGEST_GAIN):
        return None
    if group.node.op_type == "HardSwish" and x.quantization.step < _SMALLEST_SWISH_STEP:
        return None
    return [group.result(group.node.op_type, [x.value])]


def _of_fixed_range(step: float, zero: int) -> Rule:
    """Return the rule of a function with a known range, whose kernel gives integers of one scale only."""

    def rule(group: Group) -> list[ir.Node] | None:
        offset = 128 if group.output.dtype == "uint8" else 0
        is_fixed = abs(group.output.step - step) <= _NEAR * step and group.output.zero - offset == zero
        return _unary(group) if is_fixed else None

    return rule


def _softmax(group: Group) -> list[ir.Node] | None:
    rank = rank_of(group.node.inputs[0])  # the default axis differs by opset, but for matrices
    if (
        rank == 0 or integer(group.node, "axis", 1 if rank == 2 else 0) % rank != rank - 1
    ):  # the default differs by opset
        return None
    return _of_fixed_range(1 / 256, -128)(group)


def _relu(group: Group) -> list[ir.Node] | None:
    x = group.data(0)
    if x is None or group.is_clipped or not group.holds(x.quantization.scale, _LARGEST_GAIN):
        return None
    return [group.result("Relu", [x.value])]


def _mean(group: Group) -> list[ir.Node] | None:
    """Return MEAN over known axes."""
    axes = _axes(group.node)
    x = group.data(0)
    if x is None or axes is None or group.is_clipped or not group.holds(x.quantization.scale, _LARGEST_GAIN):
        return None
    keeps = integer(group.node, "keepdims", 1)
    return [group.result("Mean", [x.value], axes=axes, keepdims=keeps)]


def _largest(group: Group) -> list[ir.Node] | None:
    """Return REDUCE_MAX or REDUCE_MIN over known axes, which leaves the scale as it is."""
    axes, x = _axes(group.node), group.data(0)
    if x is None or axes is None or group.is_clipped or not group.output.same_as(x.quantization):
        return None
    code = "Min" if group.node.op_type == "ReduceMin" else "Max"
    return [group.result(f"Reduce{code}", [x.value], axes=axes, keepdims=integer(group.node, "keepdims", 1))]


def _prelu(group: Group) -> list[ir.Node] | None:
    """Return PRELU with a constant slope, which broadcasts over four axes at most."""
    x, slope = group.data(0), group.data(1)
    if x is None or slope is None or constant(slope.value) is None or group.is_clipped:
        return None
    if not group.holds(x.quantization.scale, _LARGEST_GAIN):
        return None
    if not 1 <= rank_of(slope.value) <= rank_of(x.value) <= MOST_AXES_BROADCAST:
        return None
    return [group.result("PRelu", [x.value, slope.value])]


def _axes(node: ir.Node) -> list[int] | None:
    rank = rank_of(node.inputs[0])
    if node.op_type.startswith("Global"):
        return list(range(1, rank - 1) if node.domain == CHANNELS_LAST_DOMAIN else range(2, rank))
    if "axes" in node.attributes:
        return [int(axis) % rank for axis in node.attributes["axes"].as_ints()]
    array = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    return None if array is None or array.size == 0 else [int(axis) % rank for axis in array.reshape(-1)]


def _pool(group: Group) -> list[ir.Node] | None:
    """Return AVERAGE_POOL_2D or MAX_POOL_2D, which leave the scale as it is."""
    node, x = group.node, group.data(0)
    is_mean = node.op_type == "AveragePool"
    if x is None or rank_of(x.value) != IMAGE_RANK or not _has_plain_window(node, is_mean):
        return None
    if group.output.same_as(x.quantization):
        return [group.result(node.op_type, [x.value], activation=group.activation)]
    if is_mean or group.is_clipped or not group.holds(x.quantization.scale, _LARGEST_GAIN):
        return None
    pooled = group.result(node.op_type, [x.value], activation="NONE")
    note(pooled.outputs[0], x.quantization)
    pooled.outputs[0].shape = node.outputs[0].shape
    pooled.outputs[0].type = x.value.type
    return [pooled, _requantized(group, pooled.outputs[0])]


def _has_plain_window(node: ir.Node, is_mean: bool) -> bool:
    dilations = node.attributes["dilations"].as_ints() if "dilations" in node.attributes else [1]
    if max(dilations) > 1 or integer(node, "ceil_mode", 0):
        return False
    pads = node.attributes["pads"].as_ints() if "pads" in node.attributes else [0]
    mode = text_of(node, "auto_pad", "NOTSET")
    if not is_mean:
        return True
    is_bare = not any(pads) if mode == "NOTSET" else mode == "VALID"
    return is_bare or (mode == "NOTSET" and bool(integer(node, "count_include_pad", 0)))


def _join(group: Group) -> list[ir.Node] | None:
    """Return CONCATENATION of integers brought to the scale that comes out."""
    operands = [group.data(index) for index in range(len(group.node.inputs))]
    if group.is_clipped:
        return None
    before: list[ir.Node] = []
    inputs = []
    for operand in operands:
        if operand is None or constant(operand.value) is not None:
            return None
        if not group.holds(operand.quantization.scale, _LARGEST_GAIN):
            return None
        if group.output.same_as(operand.quantization):
            inputs.append(operand.value)
            continue
        before.append(_requantized(group, operand.value))
        inputs.append(before[-1].outputs[0])
    return [*before, group.result("Concat", inputs)]


def _requantized(group: Group, value: ir.Value) -> ir.Node:
    new = ir.Node(QUANTIZED_DOMAIN, "Requantize", [value], num_outputs=1)
    new.outputs[0].shape, new.outputs[0].type = value.shape, group.last.outputs[0].type
    note(new.outputs[0], group.output)
    return new


def _resize(group: Group) -> list[ir.Node] | None:
    """Return RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR by whole factors, which leave the scale as it is."""
    node, x = group.node, group.data(0)
    if x is None or constant(x.value) is not None or group.is_clipped or not group.output.same_as(x.quantization):
        return None
    factors = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if factors is None or factors.size != 4 or any(factor != round(factor) for factor in factors.tolist()):
        return None
    if list(factors[:2]) != [1, 1] or integer(node, "antialias", 0) or "axes" in node.attributes:
        return None
    mode, coordinates = text_of(node, "mode", "nearest"), text_of(node, "coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        is_known = (coordinates, text_of(node, "nearest_mode", "round_prefer_floor")) == ("asymmetric", "floor")
    else:
        is_known = mode == "linear" and coordinates in ("asymmetric", "half_pixel", "pytorch_half_pixel")
    return [group.result("Resize", [x.value], factors=[int(factor) for factor in factors[2:]])] if is_known else None


_PLAIN = ["Elu", "Gelu", "HardSwish", "LeakyRelu"]
RULES: dict[tuple[str, str], Rule] = {
    **{(ONNX_DOMAIN, name): _unary for name in _PLAIN},
    **{(ONNX_DOMAIN, name): _arithmetic for name in ("Add", "Mul", "Sub")},
    **{(ONNX_DOMAIN, name): _extreme for name in ("Max", "Min")},
    **{(CHANNELS_LAST_DOMAIN, name): _pool for name in ("AveragePool", "MaxPool")},
    (CHANNELS_LAST_DOMAIN, "Conv"): conv,
    (CHANNELS_LAST_DOMAIN, "ConvTranspose"): conv_transpose,
    (CHANNELS_LAST_DOMAIN, "GlobalAveragePool"): _mean,
    (CHANNELS_LAST_DOMAIN, "GlobalMaxPool"): _largest,
    (CHANNELS_LAST_DOMAIN, "Resize"): _resize,
    (FUSED_DOMAIN, "MatMul"): matmul,
    (ONNX_DOMAIN, "Concat"): _join,
    (ONNX_DOMAIN, "Gemm"): gemm,
    (ONNX_DOMAIN, "GlobalAveragePool"): _mean,
    (ONNX_DOMAIN, "GlobalMaxPool"): _largest,
    (ONNX_DOMAIN, "MatMul"): matmul,
    (ONNX_DOMAIN, "PRelu"): _prelu,
    (ONNX_DOMAIN, "ReduceMax"): _largest,
    (ONNX_DOMAIN, "ReduceMean"): _mean,
    (ONNX_DOMAIN, "ReduceMin"): _largest,
    (ONNX_DOMAIN, "Relu"): _relu,
    (ONNX_DOMAIN, "Sigmoid"): _of_fixed_range(1 / 256, -128),
    (ONNX_DOMAIN, "Softmax"): _softmax,
    (ONNX_DOMAIN, "Tanh"): _of_fixed_range(1 / 128, 0),
}
"""By domain and operator."""
