"""Where a graph says what its integers stand for, and where that is noted of a value."""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import Array, constant
from isoform.hub.quantization import Quantization

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
_KEY = "isoform.quantization"
_DTYPES = {ir.DataType.INT8: "int8", ir.DataType.UINT8: "uint8", ir.DataType.INT16: "int16", ir.DataType.INT32: "int32"}


def described(node: ir.Node | None) -> Quantization | None:
    """Return what a QuantizeLinear or DequantizeLinear says; None where that is computed, in blocks or no such node."""
    if (
        node is None
        or node.domain != ""
        or node.op_type not in (QUANTIZE, DEQUANTIZE)
        or "block_size" in node.attributes
    ):
        return None
    integers = node.outputs[0] if node.op_type == QUANTIZE else node.inputs[0]
    dtype = _DTYPES.get(_dtype(node, integers))
    scale = constant(node.inputs[1])
    zero = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else np.zeros((), np.int64)
    if dtype is None or scale is None or zero is None or scale.dtype != np.float32 or scale.ndim > 1:
        return None
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        return None
    return _of(node, scale, zero, dtype)


def _of(node: ir.Node, scale: Array, zero: Array, dtype: str) -> Quantization | None:
    if scale.size == 1 and zero.size == 1:
        return Quantization(scale.reshape(()), zero.reshape(()).astype(np.int64), dtype)
    value = node.inputs[0]
    if value is None or value.shape is None or scale.ndim != 1:
        return None
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 1
    zeros = np.broadcast_to(zero.astype(np.int64), scale.shape)
    return Quantization(scale, zeros, dtype, axis % len(value.shape))


def _dtype(node: ir.Node, integers: ir.Value | None) -> ir.DataType:
    zero = node.inputs[2] if len(node.inputs) > 2 else None
    for value in (zero, integers):
        if value is not None and value.dtype is not None:
            return value.dtype
    return ir.DataType.UINT8 if node.op_type == QUANTIZE else ir.DataType.UNDEFINED


def dequantizer(value: ir.Value | None) -> ir.Node | None:
    """Return the DequantizeLinear of constant parameters that makes ``value``."""
    node = value.producer() if value is not None else None
    return node if node is not None and node.op_type == DEQUANTIZE and described(node) is not None else None


def quantizer(value: ir.Value) -> ir.Node | None:
    """Return the QuantizeLinear of one constant scale that is all that reads ``value``."""
    users = [use.node for use in value.uses()]
    if len(users) != 1 or value.is_graph_output() or users[0].op_type != QUANTIZE or users[0].graph is None:
        return None
    found = described(users[0])
    return users[0] if found is not None and found.axis is None else None


def noted(value: ir.Value) -> Quantization | None:
    """Return what `note` has noted of integers."""
    found = value.meta.get(_KEY)
    return found if isinstance(found, Quantization) else None


def about(value: ir.Value) -> Quantization | None:
    """Return what is noted of integers, or what the QuantizeLinear that makes them says."""
    node = value.producer()
    return noted(value) or (described(node) if node is not None and node.op_type == QUANTIZE else None)


def note(value: ir.Value, quantization: Quantization) -> None:
    """Note what integers stand for, for whoever writes them to a file."""
    value.meta[_KEY] = quantization


def forget(value: ir.Value) -> None:
    """Drop what is noted of integers."""
    value.meta.pop(_KEY, None)
