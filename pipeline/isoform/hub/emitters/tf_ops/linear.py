"""Matrix products."""

import tensorflow as tf

from isoform.hub.emitters.registry import FUSED_DOMAIN
from isoform.hub.emitters.tf_ops.call import HALVES, Call, Tensor, op


@op("MatMul")
def matmul(call: Call) -> Tensor:
    """Return the product as numpy.matmul defines it: vectors are rows on the left and columns on the right."""
    a, b = call[0], call[1]
    is_row, is_column = len(a.shape) == 1, len(b.shape) == 1
    a = tf.expand_dims(a, 0) if is_row else a
    b = tf.expand_dims(b, 1) if is_column else b
    product = _product(a, b)
    product = tf.squeeze(product, -2) if is_row else product
    return tf.squeeze(product, -1) if is_column else product


@op("MatMul", domain=FUSED_DOMAIN)
def matmul_of_stored(call: Call) -> Tensor:
    """Return A @ B' of two matrices or stacks of them."""
    a, b = call[0], call[1]
    if a.dtype in HALVES:
        return _product(a, tf.linalg.matrix_transpose(b))
    return tf.matmul(a, b, transpose_b=True)


@op("Gemm")
def gemm(call: Call) -> Tensor:
    """Return alpha A B + beta C."""
    a = tf.transpose(call[0]) if call.attr_int("transA") else call[0]
    b = call.transposed(1, [1, 0]) if call.attr_int("transB") else call[1]
    product = _product(a, b)
    alpha, beta = call.attr_float("alpha", 1.0), call.attr_float("beta", 1.0)
    product = product if alpha == 1 else product * tf.cast(alpha, product.dtype)
    if call[2] is None or beta == 0:
        return product
    addend = call[2] if beta == 1 else call[2] * tf.cast(beta, product.dtype)
    if len(addend.shape) == 2 and addend.shape[0] == 1:
        # Fused behind a transposed product, TensorFlow takes a bias for a vector and refuses one row.
        addend = tf.squeeze(addend, 0)
    return product + addend


@op("Einsum")
def einsum(call: Call) -> Tensor:
    wide = [tf.cast(x, tf.float32) if x.dtype in HALVES else x for x in call.inputs]
    return tf.cast(tf.einsum(call.attr_string("equation").replace(" ", ""), *wide), call[0].dtype)


@op("Det")
def determinant(call: Call) -> Tensor:
    return tf.linalg.det(call[0])


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Return a times b; a weight that is one matrix is multiplied with all rows of a at once, not batch by batch."""
    if a.dtype in (tf.uint8, tf.uint32, tf.uint64, tf.int8):
        return tf.cast(tf.matmul(tf.cast(a, tf.int64), tf.cast(b, tf.int64)), a.dtype)
    if a.dtype in HALVES:  # TensorFlow's kernels would round every partial sum
        return tf.cast(_product(tf.cast(a, tf.float32), tf.cast(b, tf.float32)), a.dtype)
    if len(a.shape) <= 2 or len(b.shape) != 2:
        return tf.matmul(a, b)
    rows = tf.matmul(tf.reshape(a, [-1, tf.shape(b)[0]]), b)
    product = tf.reshape(rows, tf.concat([tf.shape(a)[:-1], tf.shape(b)[1:]], 0))
    return tf.ensure_shape(product, [*a.shape[:-1], b.shape[1]])
