"""Keras layers that are traced in another form than their own, which has no ONNX form or a needlessly long one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

_TIME_DISTRIBUTED = keras.layers.TimeDistributed.call


@contextmanager
def traceable() -> Iterator[None]:
    """Let layers compute the same in operators that ONNX has, as long as this lasts."""
    keras.layers.TimeDistributed.call = _time_distributed
    try:
        yield
    finally:
        keras.layers.TimeDistributed.call = _TIME_DISTRIBUTED


def _time_distributed(layer: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
    """Return the inner layer's answer for all steps at once, as one batch; Keras unrolls them, or maps over them.

    A mask goes to the inner layer a step at a time, so Keras' own form stays where there is one.
    """
    if mask is not None:
        return _TIME_DISTRIBUTED(layer, inputs, training=training, mask=mask)
    shape = ops.shape(inputs)
    options = {"training": training} if layer.layer._call_has_training_arg else {}
    answer = layer.layer.call(ops.reshape(inputs, (-1, *shape[2:])), **options)
    return ops.reshape(answer, (*_leading(shape), *ops.shape(answer)[1:]))


def _leading(shape: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return batch and time, one of them left over (-1) where that keeps the sizes constant."""
    return (-1, shape[1]) if isinstance(shape[1], int) else (shape[0], -1) if isinstance(shape[0], int) else shape[:2]
