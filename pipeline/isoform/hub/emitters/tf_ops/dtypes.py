"""Conversions between dtypes as ONNX defines them, and the dtypes for which TensorFlow has no kernels.

Of the small dtypes TensorFlow computes with none; it stores int4, uint4 and two of the float8, and converts those.
"""

from typing import Any

import onnx_ir as ir
import tensorflow as tf

from isoform.errors import IsoformError

QUARTERS = tuple(map(tf.as_dtype, ("float8_e4m3fn", "float8_e5m2")))
NIBBLES = tuple(map(tf.as_dtype, ("int4", "uint4")))
_WITHOUT_KERNELS = (
    "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn", "int2", "uint2", "complex32",
)  # fmt: skip


def dtype_of(wanted: ir.DataType, where: str) -> Any:
    """Return the tf.DType of ONNX' ``wanted``; ``where`` says in a message who wants it.

    Raises:
        IsoformError: TensorFlow has no such dtype, or no kernels for it.
    """
    if wanted == ir.DataType.STRING:
        return tf.string
    dtype = wanted.numpy()
    if dtype.name in _WITHOUT_KERNELS:
        raise IsoformError(
            f"{where} is of {dtype.name}, for which TensorFlow has no kernels.",
            "Export the model with int8, int4, float8_e4m3fn or float8_e5m2 instead.",
            kind="unsupported-operator",
        )
    return tf.as_dtype(dtype)


def require_kernels(dtype: Any) -> None:
    """Raise IsoformError if TensorFlow knows ``dtype``, and computes nothing with it."""
    if dtype.name in _WITHOUT_KERNELS:
        raise IsoformError(
            f"A conversion from or to {dtype.name}, for which TensorFlow has no kernels.",
            "Export the model with int8, int4, float8_e4m3fn or float8_e5m2 instead.",
            kind="unsupported-operator",
        )


def converted(x: Any, dtype: Any, saturates: bool = True) -> Any:
    """Return x in ``dtype``.

    Args:
        saturates: whether what is too large for a float8 becomes its largest number, infinity too; else TensorFlow's
            own infinity or NaN.
    """
    if x.dtype == dtype:
        return x
    require_kernels(x.dtype)
    require_kernels(dtype)
    if x.dtype == tf.string:
        return converted(tf.strings.to_number(x, tf.float64), dtype)
    if dtype == tf.string:
        return tf.strings.as_string(x, shortest=x.dtype.is_floating)
    if x.dtype in (*QUARTERS, *NIBBLES):
        x = tf.cast(x, tf.float32 if x.dtype in QUARTERS else tf.int32)
    if dtype in QUARTERS and x.dtype not in QUARTERS:
        return _quarter(x, dtype, saturates)
    if dtype in NIBBLES:
        return tf.cast(tf.cast(x, tf.int32), dtype)
    if dtype == tf.bool:
        return tf.not_equal(x, tf.zeros([], x.dtype))
    return tf.cast(x, dtype)


def _quarter(x: Any, dtype: Any, saturates: bool) -> Any:
    single = tf.cast(x, tf.float32)
    if saturates:
        largest = float(dtype.max)
        single = tf.where(tf.math.is_nan(single), single, tf.clip_by_value(single, -largest, largest))
    return tf.cast(single, dtype)
