"""Linear quantisation: integers with a scale and a zero point, whole, per axis or in blocks."""

from typing import Any

import torch

from isoform.hub.emitters.torch_ops.dtypes import FLOAT8, converted, torch_dtype
from isoform.hub.emitters.torch_ops.linear import matmul_integer
from isoform.hub.emitters.torch_ops.table import Tensor, op


@op("QuantizeLinear")
def quantize_linear(
    x: Tensor, scale: Tensor, zero: Tensor | None = None,
    *, axis: int = 1, saturate: int = 1, block_size: int = 0, output_dtype: int = 0,
    precision: int = 0,
) -> Tensor:  # fmt: skip
    """Return x / scale rounded half to even, plus the zero point, within the integers' range."""
    dtype = zero.dtype if zero is not None else torch_dtype(output_dtype) if output_dtype else torch.uint8
    if dtype in FLOAT8:
        return converted(x / _spread(scale, x, axis, block_size), dtype, saturate=bool(saturate))
    scaled = torch.round(x / _spread(scale, x, axis, block_size))
    shifted = scaled if zero is None else scaled + _spread(zero, x, axis, block_size)
    bounds = torch.iinfo(dtype)
    return shifted.clamp(bounds.min, bounds.max).to(torch.int64).to(dtype)


@op("DequantizeLinear")
def dequantize_linear(
    x: Tensor, scale: Tensor, zero: Tensor | None = None,
    *, axis: int = 1, block_size: int = 0, output_dtype: int = 0,
) -> Tensor:  # fmt: skip
    """Return (x - zero point) * scale."""
    if x.dtype in FLOAT8:  # their zero point is zero
        result = x.to(scale.dtype) * _spread(scale, x, axis, block_size)
        return result.to(torch_dtype(output_dtype)) if output_dtype else result
    wide = x.to(torch.int64)
    wide = wide if zero is None else wide - _spread(zero, x, axis, block_size).to(torch.int64)
    result = wide.to(scale.dtype) * _spread(scale, x, axis, block_size)
    return result.to(torch_dtype(output_dtype)) if output_dtype else result


def _spread(parameter: Tensor, x: Tensor, axis: int, block_size: int) -> Tensor:
    """Return a scale or zero point in a shape that broadcasts with x."""
    if parameter.dim() == 0 or (parameter.dim() == 1 and parameter.shape[0] == 1):
        return parameter.reshape(())
    if block_size:
        return parameter.repeat_interleave(block_size, axis)
    shape = [1] * x.dim()
    shape[axis] = -1
    return parameter.reshape(shape)


@op("DynamicQuantizeLinear")
def dynamic_quantize_linear(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return x as uint8 with the scale and zero point that its own range asks for."""
    low, high = x.amin().clamp(max=0), x.amax().clamp(min=0)
    scale = (high - low) / 255
    zero = torch.round(-low / scale).clamp(0, 255).to(torch.uint8)
    return quantize_linear(x, scale, zero), scale, zero


@op("QLinearMatMul")
def quantized_matmul(
    a: Tensor, a_scale: Tensor, a_zero: Tensor, b: Tensor, b_scale: Tensor, b_zero: Tensor,
    y_scale: Tensor, y_zero: Tensor,
) -> Tensor:  # fmt: skip
    product: Any = matmul_integer(a, b, a_zero, b_zero)
    scaled = product.to(torch.float32) * (a_scale.float() * b_scale.float() / y_scale.float())
    bounds = torch.iinfo(y_zero.dtype)
    return (torch.round(scaled) + y_zero).clamp(bounds.min, bounds.max).to(y_zero.dtype)
