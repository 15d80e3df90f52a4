"""Reductions over axes, and what is like them: arg-max, cumulative sums."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Emit, Tensor, op


def _reduction(function: Callable[..., Any]) -> Emit:
    def emit(call: Call) -> Tensor:
        x, keep = call[0], bool(call.attr_int("keepdims", 1))
        if "axes" not in call.node.attributes and _is_computed(call):
            result = function(x, axis=call[1], keepdims=keep)
            rank = call.declared_rank(0)
            return result if rank is None else tf.ensure_shape(result, [None] * rank)
        is_empty = call[1] is not None and call[1].shape[0] == 0
        axes = [] if is_empty else call.integers("axes", 1)
        if not axes and call.attr_int("noop_with_empty_axes"):
            # Nothing is reduced, but what is done to each element still is.
            return function(tf.expand_dims(x, 0), axis=[0], keepdims=False)
        return function(x, axis=axes or list(range(len(x.shape))), keepdims=keep)

    return emit


def _is_computed(call: Call) -> bool:
    """Tell whether the axes come from the model's inputs; none at all are known to be none."""
    return call[1] is not None and call.constant(1) is None and call[1].shape[0] != 0


def _log_sum(x: Tensor, **where: Any) -> Tensor:
    return tf.math.log(tf.reduce_sum(x, **where))


def _log_sum_exp(x: Tensor, **where: Any) -> Tensor:
    return tf.reduce_logsumexp(x, **where)


def _norm1(x: Tensor, **where: Any) -> Tensor:
    return tf.reduce_sum(tf.abs(x), **where)


def _norm2(x: Tensor, **where: Any) -> Tensor:
    if x.dtype.is_floating:
        return tf.sqrt(tf.reduce_sum(tf.square(x), **where))
    return tf.cast(tf.sqrt(tf.cast(tf.reduce_sum(tf.square(x), **where), tf.float64)), x.dtype)


def _sum_square(x: Tensor, **where: Any) -> Tensor:
    return tf.reduce_sum(tf.square(x), **where)


def _extreme(of_numbers: Callable[..., Any], of_truths: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, **where: (of_truths if x.dtype == tf.bool else of_numbers)(x, **where)


for _name, _function in {
    "ReduceL1": _norm1, "ReduceL2": _norm2, "ReduceLogSum": _log_sum, "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _extreme(tf.reduce_max, tf.reduce_any), "ReduceMean": tf.reduce_mean,
    "ReduceMin": _extreme(tf.reduce_min, tf.reduce_all), "ReduceProd": tf.reduce_prod, "ReduceSum": tf.reduce_sum,
    "ReduceSumSquare": _sum_square,
}.items():  # fmt: skip
    op(_name)(_reduction(_function))


@op("ArgMax")
def arg_max(call: Call) -> Tensor:
    return _arg(call, tf.argmax)


@op("ArgMin")
def arg_min(call: Call) -> Tensor:
    return _arg(call, tf.argmin)


def _arg(call: Call, function: Callable[..., Any]) -> Tensor:
    x, axis = call[0], call.attr_int("axis")
    if call.attr_int("select_last_index"):
        last = tf.cast(tf.shape(x)[axis] - 1, tf.int64)
        found = last - function(tf.reverse(x, [axis]), axis)
    else:
        found = function(x, axis)
    return tf.expand_dims(found, axis) if call.attr_int("keepdims", 1) else found


@op("CumSum")
def cumulative_sum(call: Call) -> Tensor:
    return _cumulative(call, tf.cumsum)


@op("CumProd")
def cumulative_product(call: Call) -> Tensor:
    return _cumulative(call, tf.math.cumprod)


def _cumulative(call: Call, function: Callable[..., Any]) -> Tensor:
    axis = tf.reshape(call[1], [])
    is_exclusive, is_reverse = bool(call.attr_int("exclusive")), bool(call.attr_int("reverse"))
    return function(call[0], axis, exclusive=is_exclusive, reverse=is_reverse)
