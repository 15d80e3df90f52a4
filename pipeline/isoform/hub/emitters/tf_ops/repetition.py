"""Rounds: values carried from one to the next, and what each gives out, stacked. Loop and Scan stand on this."""

from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir as ir
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Tensor
from isoform.hub.emitters.tf_ops.structure import joined, parts, rebuilt, shaped_like

Step = Callable[[Tensor, list[Any]], tuple[Tensor, list[Any], list[Tensor]]]
"""Takes the number of the round and the carried values; returns whether to go on, the new ones, what is given out."""
Trace = tuple[Any, list[int | None] | None]
_MOST_GENERALISATIONS = 3


def trace_of(value: ir.Value) -> Trace:
    """Return (dtype, shape) of what a body gives out as ``value``."""
    shape = None if value.shape is None else [dim if isinstance(dim, int) else None for dim in value.shape]
    return value.dtype.numpy(), shape


def repeat(
    step: Step, rounds: Tensor, goes_on: Tensor, carried: Sequence[Any], traces: Sequence[Trace]
) -> tuple[list[Any], list[Tensor]]:
    """Return the carried values and the stacked traces of ``step`` repeated; carried shapes may change on the way."""
    values = list(carried)
    for _ in range(_MOST_GENERALISATIONS):
        given_back: list[Any] = []
        final, stacked = _attempt(step, rounds, goes_on, values, traces, given_back)
        general = [joined(value, new) for value, new in zip(values, given_back, strict=True)]
        if _forms(general) == _forms(values):
            break
        values = general  # a sequence has got other elements than it began with: the rounds have to expect them
    return final, stacked


def _forms(values: Sequence[Any]) -> list[str]:
    return [str(getattr(value, "element_shape", None)) + type(value).__name__ for value in values]


def _attempt(
    step: Step, rounds: Tensor, goes_on: Tensor, carried: list[Any], traces: Sequence[Trace], given_back: list[Any]
) -> tuple[list[Any], list[Tensor]]:
    arrays = [
        tf.TensorArray(dtype, 0, dynamic_size=True, infer_shape=False, element_shape=shape) for dtype, shape in traces
    ]

    def body(index: Tensor, _: Tensor, tensors: Any, arrays: Any) -> Any:
        again, new, given = step(index, rebuilt(carried, tensors))
        given_back[:] = new
        tensors = parts([shaped_like(value, model) for value, model in zip(new, carried, strict=True)])
        position = tf.cast(index, tf.int32)
        written = [array.write(position, value) for array, value in zip(arrays, given, strict=True)]
        return index + 1, again, tensors, written

    tensors = parts(carried)
    start = (tf.constant(0, tf.int64), goes_on, tensors, arrays)
    loose = [tf.TensorShape(None if each.shape.rank is None else [None] * len(each.shape)) for each in tensors]
    free = [tf.TensorShape(None)] * len(tensors)

    def runs(index: Tensor, again: Tensor, *_: Any) -> Tensor:
        return again & (index < rounds)

    for shapes in (None, loose, free):
        invariants = shapes and (tf.TensorShape([]), tf.TensorShape([]), shapes, [tf.TensorShape(None)] * len(arrays))
        try:
            end = tf.while_loop(runs, body, start, invariants)
            break
        except ValueError:  # a carried value changes its shape, or even its rank: less is then promised to the rounds
            if shapes is free:
                raise
    return rebuilt(carried, end[2]), [array.stack() for array in end[3]]
