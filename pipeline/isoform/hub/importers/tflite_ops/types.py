"""The types of tensors in ONNX."""

import onnx_ir as ir

from isoform.errors import IsoformError
from isoform.hub.importers.tflite_file import Tensor

_TYPES = {
    "bool": ir.DataType.BOOL, "float16": ir.DataType.FLOAT16, "float32": ir.DataType.FLOAT,
    "float64": ir.DataType.DOUBLE, "bfloat16": ir.DataType.BFLOAT16, "int8": ir.DataType.INT8,
    "int16": ir.DataType.INT16, "int32": ir.DataType.INT32, "int64": ir.DataType.INT64, "uint8": ir.DataType.UINT8,
    "uint16": ir.DataType.UINT16, "uint32": ir.DataType.UINT32, "uint64": ir.DataType.UINT64,
}  # fmt: skip


def tensor_type(tensor: Tensor) -> ir.TensorType:
    """Return the type of a tensor as it is stored.

    Raises:
        IsoformError: text, complex numbers and handles are not carried.
    """
    if tensor.dtype not in _TYPES:
        raise IsoformError(
            f"The tensor '{tensor.name}' is {tensor.dtype}, which is not carried.",
            "Cut the model behind it, and convert the part that takes numbers.",
            kind="unsupported-tensor",
        )
    return ir.TensorType(_TYPES[tensor.dtype])
