"""Operators that make tensors from sizes alone, and masks of triangles."""

import onnx_ir as ir
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op


@op("ConstantOfShape")
def constant_of_shape(call: Call) -> Tensor:
    value = call.attr_tensor("value")
    return tf.fill(
        call[0], tf.constant(0.0 if value is None else value.ravel()[0], None if value is None else value.dtype)
    )


@op("Range")
def arange(call: Call) -> Tensor:
    return tf.range(*(tf.reshape(bound, []) for bound in call.inputs))


@op("EyeLike")
def eye_like(call: Call) -> Tensor:
    x = call[0]
    dtype = call.attr_dtype("dtype", ir.DataType.FLOAT) if "dtype" in call.node.attributes else x.dtype
    rows, columns = tf.shape(x)[0], tf.shape(x)[1]
    offset = call.attr_int("k")
    return tf.cast(tf.equal(tf.range(rows)[:, None] + offset, tf.range(columns)[None, :]), dtype)


@op("Trilu")
def triangle(call: Call) -> Tensor:
    """Return the upper or lower triangle from the k-th diagonal on, zero elsewhere."""
    x = call[0]
    offset = tf.constant(0, tf.int64) if call[1] is None else tf.reshape(call[1], [])
    rows = tf.range(tf.shape(x, tf.int64)[-2])[:, None]
    columns = tf.range(tf.shape(x, tf.int64)[-1])[None, :]
    keep = columns - rows >= offset if call.attr_int("upper", 1) else columns - rows <= offset
    return tf.where(keep, x, tf.zeros_like(x))
