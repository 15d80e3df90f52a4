"""Which groups LiteRT has an integer kernel for, and what its kernel asks of scales and zero points.

For each operator, one function; to add one, write it and name it in `RULES`. None where the operator has to stay one of
numbers. What comes back ends in the node whose output are the integers.
"""

from collections.abc import Callable, Sequence

import onnx_ir as ir

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN, FUSED_DOMAIN, ONNX_DOMAIN, QUANTIZED_DOMAIN
from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.quantized.group import Group, Operand
from isoform.hub.passes.quantized.parameters import note

Rule = Callable[[Group], list[ir.Node] | None]
_NEAR = 1e-6
_IMAGE_RANK = 4
_MOST_AXES_BROADCAST = 4
_LARGEST_SUM_RATIO = 2.0**19
"""LiteRT's ADD adds in steps 2^-20 of twice the larger input scale; a finer output scale is none to it."""


def _conv(group: Group) -> list[ir.Node] | None:
    """Return CONV_2D or DEPTHWISE_CONV_2D: weights around 0, bias in steps of both scales multiplied."""
    x, weight = group.data(0), group.weight(1, 0)
    if x is None or weight is None or _rank(weight.value) != _IMAGE_RANK:
        return None
    inputs = _with_bias(group, [x, weight], 2)
    return None if inputs is None else [group.result("Conv", inputs, activation=group.activation)]


def _conv_transpose(group: Group) -> list[ir.Node] | None:
    """Return TRANSPOSE_CONV, cut to what is asked for; nothing is put after it, and there are no groups."""
    node, x, weight = group.node, group.data(0), group.weight(1, 1)
    if x is None or weight is None or group.is_clipped or _rank(weight.value) != _IMAGE_RANK:
        return None
    is_plain = _text(node, "auto_pad", "NOTSET") == "NOTSET" and _int(node, "group", 1) == 1
    pads, dilations = _ints(node, "pads"), _ints(node, "dilations")
    if not is_plain or max(dilations, default=1) > 1 or min(pads, default=0) < 0 or "output_shape" in node.attributes:
        return None
    if any(_ints(node, "output_padding")):
        return None
    inputs = _with_bias(group, [x, weight], 2)
    return None if inputs is None else [group.result("ConvTranspose", inputs)]


def _with_bias(group: Group, operands: Sequence[Operand], index: int) -> list[ir.Value] | None:
    inputs = [operand.value for operand in operands]
    if index >= len(group.node.inputs) or group.node.inputs[index] is None:
        return inputs
    bias = group.bias(index, operands[0].quantization, operands[1].quantization)
    return None if bias is None else [*inputs, bias.value]


def _gemm(group: Group) -> list[ir.Node] | None:
    node = group.node
    factors = [node.attributes[name].as_float() for name in ("alpha", "beta") if name in node.attributes]
    if _int(node, "transA", 0) or any(factor != 1.0 for factor in factors):
        return None
    is_transposed = bool(_int(node, "transB", 0))
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


def _matmul(group: Group) -> list[ir.Node] | None:
    """Return FULLY_CONNECTED for a constant matrix, else BATCH_MATMUL."""
    is_transposed = bool(_int(group.node, "transB", 0))
    x, matrix = group.data(0), group.weight(1, 0 if is_transposed else 1)
    if x is None or _rank(group.node.inputs[0]) < 2:
        return None
    if matrix is not None and _rank(matrix.value) == 2:
        rows = _rows(group, matrix, is_transposed)
        return [group.result("Linear", [x.value, rows.value], activation=group.activation)]
    right = group.data(1)
    is_plain = right is not None and constant(right.value) is None and constant(x.value) is None
    ranks = [_rank(value) for value in group.node.inputs]
    if right is None or not is_plain or group.is_clipped or not 2 <= min(ranks) <= max(ranks) <= _MOST_AXES_BROADCAST:
        return None
    return [group.result("MatMul", [x.value, right.value])]


def _arithmetic(group: Group) -> list[ir.Node] | None:
    """Return ADD, SUB or MUL, of two scales into a third."""
    operands = [group.data(index) or group.number(index) for index in (0, 1)]
    x, y = operands
    if x is None or y is None or (constant(x.value) is not None and constant(y.value) is not None):
        return None
    shapes = [value.shape for value in group.node.inputs if value is not None]
    if None in shapes or (shapes[0] != shapes[1] and max(map(_rank, group.node.inputs)) > _MOST_AXES_BROADCAST):
        return None
    scales = x.quantization.step, y.quantization.step
    if group.node.op_type != "Mul" and max(scales) / group.output.step >= _LARGEST_SUM_RATIO:
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
    return [group.result(group.node.op_type, [x.value])]


def _of_fixed_range(step: float, zero: int) -> Rule:
    """Return the rule of a function with a known range, whose kernel gives integers of one scale only."""

    def rule(group: Group) -> list[ir.Node] | None:
        offset = 128 if group.output.dtype == "uint8" else 0
        is_fixed = abs(group.output.step - step) <= _NEAR * step and group.output.zero - offset == zero
        return _unary(group) if is_fixed else None

    return rule


def _softmax(group: Group) -> list[ir.Node] | None:
    rank = _rank(group.node.inputs[0])
    if rank == 0 or _int(group.node, "axis", 1 if rank == 2 else 0) % rank != rank - 1:  # the default differs by opset
        return None
    return _of_fixed_range(1 / 256, -128)(group)


def _relu(group: Group) -> list[ir.Node] | None:
    x = group.data(0)
    return None if x is None or group.is_clipped else [group.result("Relu", [x.value])]


def _mean(group: Group) -> list[ir.Node] | None:
    """Return MEAN over known axes."""
    axes = _axes(group.node)
    x = group.data(0)
    if x is None or axes is None or group.is_clipped:
        return None
    keeps = _int(group.node, "keepdims", 1)
    return [group.result("Mean", [x.value], axes=axes, keepdims=keeps)]


def _largest(group: Group) -> list[ir.Node] | None:
    """Return REDUCE_MAX or REDUCE_MIN over known axes, which leaves the scale as it is."""
    axes, x = _axes(group.node), group.data(0)
    if x is None or axes is None or group.is_clipped or not group.output.same_as(x.quantization):
        return None
    code = "Min" if group.node.op_type == "ReduceMin" else "Max"
    return [group.result(f"Reduce{code}", [x.value], axes=axes, keepdims=_int(group.node, "keepdims", 1))]


def _prelu(group: Group) -> list[ir.Node] | None:
    """Return PRELU with a constant slope, which broadcasts over four axes at most."""
    x, slope = group.data(0), group.data(1)
    if x is None or slope is None or constant(slope.value) is None or group.is_clipped:
        return None
    if not 1 <= _rank(slope.value) <= _rank(x.value) <= _MOST_AXES_BROADCAST:
        return None
    return [group.result("PRelu", [x.value, slope.value])]


def _axes(node: ir.Node) -> list[int] | None:
    rank = _rank(node.inputs[0])
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
    if x is None or _rank(x.value) != _IMAGE_RANK or not _has_plain_window(node, is_mean):
        return None
    if group.output.same_as(x.quantization):
        return [group.result(node.op_type, [x.value], activation=group.activation)]
    if is_mean or group.is_clipped:
        return None
    pooled = group.result(node.op_type, [x.value], activation="NONE")
    note(pooled.outputs[0], x.quantization)
    pooled.outputs[0].shape = node.outputs[0].shape
    pooled.outputs[0].type = x.value.type
    return [pooled, _requantized(group, pooled.outputs[0])]


def _has_plain_window(node: ir.Node, is_mean: bool) -> bool:
    dilations = node.attributes["dilations"].as_ints() if "dilations" in node.attributes else [1]
    if max(dilations) > 1 or _int(node, "ceil_mode", 0):
        return False
    pads = node.attributes["pads"].as_ints() if "pads" in node.attributes else [0]
    mode = _text(node, "auto_pad", "NOTSET")
    if not is_mean:
        return True
    is_bare = not any(pads) if mode == "NOTSET" else mode == "VALID"
    return is_bare or (mode == "NOTSET" and bool(_int(node, "count_include_pad", 0)))


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
    if list(factors[:2]) != [1, 1] or _int(node, "antialias", 0) or "axes" in node.attributes:
        return None
    mode, coordinates = _text(node, "mode", "nearest"), _text(node, "coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        is_known = (coordinates, _text(node, "nearest_mode", "round_prefer_floor")) == ("asymmetric", "floor")
    else:
        is_known = mode == "linear" and coordinates in ("asymmetric", "half_pixel", "pytorch_half_pixel")
    return [group.result("Resize", [x.value], factors=[int(factor) for factor in factors[2:]])] if is_known else None


def _ints(node: ir.Node, name: str) -> list[int]:
    return list(node.attributes[name].as_ints()) if name in node.attributes else []


def _text(node: ir.Node, name: str, default: str) -> str:
    return node.attributes[name].as_string() if name in node.attributes else default


def _int(node: ir.Node, name: str, default: int) -> int:
    return node.attributes[name].as_int() if name in node.attributes else default


def _rank(value: ir.Value | None) -> int:
    if value is None:
        return 0
    array = constant(value)
    return array.ndim if array is not None else len(value.shape) if value.shape is not None else 0


_PLAIN = ["Elu", "Gelu", "HardSwish", "LeakyRelu"]
RULES: dict[tuple[str, str], Rule] = {
    **{(ONNX_DOMAIN, name): _unary for name in _PLAIN},
    **{(ONNX_DOMAIN, name): _arithmetic for name in ("Add", "Mul", "Sub")},
    **{(ONNX_DOMAIN, name): _extreme for name in ("Max", "Min")},
    **{(CHANNELS_LAST_DOMAIN, name): _pool for name in ("AveragePool", "MaxPool")},
    (CHANNELS_LAST_DOMAIN, "Conv"): _conv,
    (CHANNELS_LAST_DOMAIN, "ConvTranspose"): _conv_transpose,
    (CHANNELS_LAST_DOMAIN, "GlobalAveragePool"): _mean,
    (CHANNELS_LAST_DOMAIN, "GlobalMaxPool"): _largest,
    (CHANNELS_LAST_DOMAIN, "Resize"): _resize,
    (FUSED_DOMAIN, "MatMul"): _matmul,
    (ONNX_DOMAIN, "Concat"): _join,
    (ONNX_DOMAIN, "Gemm"): _gemm,
    (ONNX_DOMAIN, "GlobalAveragePool"): _mean,
    (ONNX_DOMAIN, "GlobalMaxPool"): _largest,
    (ONNX_DOMAIN, "MatMul"): _matmul,
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
