"""Numbers as integers of a scale and back, composed of float32 operators as the standard words them."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Shape, Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, div, maximum, minimum, mul, reduce, sub, unary
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.moving import cast, to_shape
from isoform.hub.emitters.tflite_ops.quantized import quantized as to_integers
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.quantized import Quantization, as_signed, dequantizer, described, noted

_INTEGERS = ("int8", "uint8", "int16", "uint16")


@op("QuantizeLinear", since=10)
def quantize_linear(call: Call) -> Tensor:
    """Return round(x / scale) + zero, halves to even, cut to the range of the integers."""
    if call.int("block_size", 0):
        raise call.refusal("blocks")
    x, scale = call[0], _along_axis(call, call[1])
    if x.dtype != "float32":
        x = cast(call, x, "float32")
    if noted(call.node.outputs[0]) is not None:
        return to_integers(call, Code.QUANTIZE, [x], schema.QuantizeOptionsT())
    zero = call.get(2)
    dtype = zero.dtype if zero is not None else call.dtype
    return quantized(call, div(call, x, scale), None if zero is None else _along_axis(call, zero), dtype)


def quantized(call: Call, x: Tensor, zero: Tensor | None, dtype: str) -> Tensor:
    """Return numbers in units of the scale as integers."""
    if dtype not in _INTEGERS:
        raise call.refusal(f"integers of type {dtype}")
    rounded = unary(call, Code.ROUND, x)
    if zero is not None:
        rounded = add(call, rounded, cast(call, zero, "float32"))
    limits = np.iinfo(np.dtype(dtype))
    inside = maximum(call, minimum(call, rounded, float(limits.max)), float(limits.min))
    return cast(call, cast(call, inside, "int32"), dtype)


@op("DequantizeLinear", since=10)
def dequantize_linear(call: Call) -> Tensor:
    """Return (x - zero) * scale."""
    found = described(call.node)
    if found is not None and call.dtype == "float32":
        stored = _stored(call, found)
        if stored is not None:
            return stored
    x, zero = call[0], call.get(2)
    if call.int("block_size", 0) or x.dtype not in (*_INTEGERS, "int32"):
        raise call.refusal(f"blocks, or {x.dtype}")
    wide = cast(call, x, "int32") if x.dtype != "int32" else x
    if zero is not None and (zero.array is None or zero.array.any()):
        wide = sub(call, wide, cast(call, _along_axis(call, zero), "int32"))
    return mul(call, cast(call, wide, "float32"), _along_axis(call, call[1]))


def _stored(call: Call, found: Quantization) -> Tensor | None:
    """Return the numbers of a tensor that says itself what its integers stand for; None where it does not."""
    array, value = call.array(0), call.node.inputs[0]
    if array is None or value is None:
        return to_numbers(call, call[0], call.shape) if found.same_as(call[0].quantization) else None
    if array.dtype == np.int32:
        shape = [-1 if axis == found.axis else 1 for axis in range(array.ndim)] if found.axis is not None else []
        scale, zero = found.scale.reshape(shape).astype(np.float64), found.zero_point.reshape(shape)
        return call.constant((array.astype(np.int64) - zero) * scale, "float32")
    if array.dtype.name not in ("int8", "uint8"):
        return None
    return to_numbers(call, stored_integers(call, value, found, range(array.ndim)), array.shape)


def is_layer_weight(call: Call, index: int) -> bool:
    """Return whether an input is made of constant integers of eight bits."""
    maker = dequantizer(call.node.inputs[index])
    array = constant(maker.inputs[0]) if maker is not None else None
    return array is not None and array.dtype.name in ("int8", "uint8")


def layer_weight(call: Call, index: int, perm: Sequence[int]) -> Tensor:
    """Return the numbers of such an input, its axes in another order; they stay integers in the file.

    In a hybrid file the layer reads the integers themselves.
    """
    maker = dequantizer(call.node.inputs[index])
    found, stored = described(maker), maker.inputs[0] if maker is not None else None
    assert found is not None
    assert stored is not None
    tensor = stored_integers(call, stored, found, perm)
    is_read = call.graph.file.is_hybrid and not found.zero_point.any() and found.dtype == "int8"
    return tensor if is_read else to_numbers(call, tensor, tensor.shape)


def stored_integers(call: Call, value: ir.Value, found: Quantization, perm: Sequence[int]) -> Tensor:
    """Return constant integers, signed, their axes in another order; a view where they have a sign."""
    array = constant(value)
    assert array is not None, "asked only of constants"
    if array.dtype == np.uint8:
        array = array.view(np.int8) ^ np.int8(-128)
    axis = None if found.axis is None else list(perm).index(found.axis)
    return call.graph.constant(array.transpose(perm), str(value.name), as_signed(found).moved(axis))


def to_numbers(call: Call, x: Tensor, shape: Shape) -> Tensor:
    return call.make(Code.DEQUANTIZE, [x], shape, schema.DequantizeOptionsT(), "float32")


def _along_axis(call: Call, x: Tensor) -> Tensor:
    """Return one number, or one for each place of the node's axis, in a shape that broadcasts with x."""
    rank = len(call[0].shape)
    if not x.shape or x.shape == (1,):
        return to_shape(call, x, [], []) if x.shape else x
    axis = call.int("axis", 1) % rank
    shape = [1] * rank
    known = [*shape[:axis], x.shape[0], *shape[axis + 1 :]]
    return to_shape(call, x, [*shape[:axis], -1, *shape[axis + 1 :]], known)


@op("DynamicQuantizeLinear", since=11)
def dynamic_quantize_linear(call: Call) -> list[Tensor]:
    """Return x as uint8 of the scale that its own range gives, the scale, and the zero; the range includes 0."""
    x = call[0]
    axes = list(range(len(x.shape)))
    low = minimum(call, reduce(call, Code.REDUCE_MIN, x, axes, keeps_axes=False), 0.0)
    high = maximum(call, reduce(call, Code.REDUCE_MAX, x, axes, keeps_axes=False), 0.0)
    scale = div(call, sub(call, high, low), 255.0)
    zero = quantized(call, div(call, unary(call, Code.NEG, low), scale), None, "uint8")
    return [quantized(call, div(call, x, scale), zero, "uint8"), scale, zero]


@op("MatMulInteger", since=10)
def mat_mul_integer(call: Call) -> Tensor:
    """Return the product of integers, zeros taken off, as int32; summed as int32, which float32 could not hold."""
    sides = []
    for place in (0, 1):
        x, zero = cast(call, call[place], "int32"), call.get(place + 2)
        if zero is not None:
            rows = bool(zero.shape) and zero.shape != (1,) and place == 0
            zero = to_shape(call, zero, [-1, 1], [zero.shape[0], 1]) if rows else zero
            x = sub(call, x, cast(call, zero, "int32"))
        sides.append(x)
    return whole_product(call, *sides)


@op("QLinearMatMul", since=10)
def q_linear_mat_mul(call: Call) -> Tensor:
    """Return the product of quantised matrices, quantised again; scales are one number each."""
    if any(call[index].shape not in ((), (1,)) for index in (1, 2, 4, 5, 6, 7)):
        raise call.refusal("a scale for each row or column")
    left, right = (
        sub(call, cast(call, call[index], "int32"), cast(call, call[index + 2], "int32")) for index in (0, 3)
    )
    scale = div(call, mul(call, call[1], call[4]), call[6])
    units = mul(call, cast(call, whole_product(call, left, right), "float32"), scale)
    return quantized(call, units, call[7], call[7].dtype)


def whole_product(call: Call, left: Tensor, right: Tensor) -> Tensor:
    """Return the matrix product of int32, element by element: LiteRT has none for this type."""
    ranks = len(left.shape), len(right.shape)
    if min(ranks) < 2:
        raise call.refusal("a product with a vector")
    wide, tall = left.shape, right.shape
    options = schema.ExpandDimsOptionsT()
    left = call.make(Code.EXPAND_DIMS, [left, call.constant(-1)], [*wide, 1], options)  # [..., rows, inner, 1]
    place = call.constant(len(tall) - 2)
    right = call.make(
        Code.EXPAND_DIMS, [right, place], [*tall[:-2], 1, *tall[-2:]], options
    )  # [..., 1, inner, columns]
    return reduce(call, Code.SUM, mul(call, left, right), [-2], keeps_axes=False)
