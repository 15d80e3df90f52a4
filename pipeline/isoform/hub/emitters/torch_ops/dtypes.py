"""ONNX' dtypes as torch has them, and arrays of every such dtype as tensors."""

from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from isoform.errors import IsoformError

TORCH_DTYPES: dict[ir.DataType, torch.dtype] = {
    ir.DataType.FLOAT: torch.float32,
    ir.DataType.DOUBLE: torch.float64,
    ir.DataType.FLOAT16: torch.float16,
    ir.DataType.BFLOAT16: torch.bfloat16,
    ir.DataType.INT8: torch.int8,
    ir.DataType.INT16: torch.int16,
    ir.DataType.INT32: torch.int32,
    ir.DataType.INT64: torch.int64,
    ir.DataType.UINT8: torch.uint8,
    ir.DataType.UINT16: torch.uint16,
    ir.DataType.UINT32: torch.uint32,
    ir.DataType.UINT64: torch.uint64,
    ir.DataType.BOOL: torch.bool,
    ir.DataType.COMPLEX64: torch.complex64,
    ir.DataType.COMPLEX128: torch.complex128,
}


def torch_dtype(dtype: ir.DataType | int) -> torch.dtype:
    """Return the dtype that torch computes in.

    Raises:
        IsoformError: torch has none, as for strings and 4-bit numbers.
    """
    wanted = ir.DataType(dtype)
    if wanted not in TORCH_DTYPES:
        raise IsoformError(
            f"PyTorch has no dtype for ONNX' {wanted.name}.",
            "Keep this tensor outside of the model, or in a wider dtype.",
            kind="unsupported-operator",
        )
    return TORCH_DTYPES[wanted]


def as_tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """Return a copy of ``array`` as a tensor; bfloat16, which numpy lacks, by its bits."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    torch_dtype(ir.DataType.from_numpy(array.dtype))
    return torch.from_numpy(np.array(array, order="C"))
