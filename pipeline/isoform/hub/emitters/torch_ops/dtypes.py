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
    ir.DataType.FLOAT8E4M3FN: torch.float8_e4m3fn,
    ir.DataType.FLOAT8E4M3FNUZ: torch.float8_e4m3fnuz,
    ir.DataType.FLOAT8E5M2: torch.float8_e5m2,
    ir.DataType.FLOAT8E5M2FNUZ: torch.float8_e5m2fnuz,
    ir.DataType.COMPLEX64: torch.complex64,
    ir.DataType.COMPLEX128: torch.complex128,
}


_LARGEST_E4M3FN = 464.0
"""What lies beyond rounds to more than 448, the largest number of the type."""
FLOAT8 = (torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz)


def converted(x: torch.Tensor, dtype: torch.dtype, *, saturate: bool = True) -> torch.Tensor:
    """Return x in another dtype; beyond the range of an 8-bit float is its end, or with ``saturate`` off no number."""
    if dtype in FLOAT8 and x.dtype not in FLOAT8 and saturate:
        x = x.to(torch.float32).clamp(torch.finfo(dtype).min, torch.finfo(dtype).max)
    elif dtype == torch.float8_e4m3fn and not saturate:  # PyTorch saturates this one by itself
        x = x.to(torch.float32)
        x = torch.where(x.abs() > _LARGEST_E4M3FN, torch.full_like(x, torch.nan), x)
    return x.to(dtype)


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
    """Return ``array`` as a tensor; floats that numpy lacks, by their bits.

    It is a copy, except of a private mapping: that is nobody else's memory, and large.
    """
    if array.dtype.name == "bfloat16":
        return as_tensor(array.view(np.int16)).view(torch.bfloat16)
    dtype = torch_dtype(ir.DataType.from_numpy(array.dtype))
    if dtype in FLOAT8:
        return as_tensor(array.view(np.uint8)).view(dtype)
    if _is_private_mapping(array) and min(array.strides, default=0) >= 0:
        return torch.from_numpy(array)
    return torch.from_numpy(np.array(array, order="C"))


def _is_private_mapping(array: Any) -> bool:
    while array is not None:
        if isinstance(array, np.memmap) and array.mode == "c":
            return True
        array = getattr(array, "base", None)
    return False
