"""If, Loop and Scan: sub-graphs become the branches and bodies of TensorFlow's own control flow."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op

_FOREVER = np.iinfo(np.int64).max


@op("If")
def branch(call: Call) -> Any:
    known = call.constant(0)
    if known is not None:
        return call.emit(call.body("then_branch" if known.item() else "else_branch"), [])
    condition = tf.reshape(call[0], [])
    return tf.cond(
        condition,
        lambda: call.emit(call.body("then_branch"), []),
        lambda: call.emit(call.body("else_branch"), []),
    )


@op("Loop")
def loop(call: Call) -> tuple[Tensor, ...]:
    """Return the carried values after the last round, and what each round gave out, stacked."""
    body = call.body("body")
    carried = [call[index] for index in range(2, len(call))]
    rounds = tf.constant(_FOREVER, tf.int64) if call[0] is None else tf.reshape(call[0], [])
    goes_on = tf.constant(True) if call[1] is None else tf.reshape(call[1], [])

    def step(index: Tensor, values: Sequence[Tensor]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        outputs = call.emit(body, [index, tf.constant(True), *values])
        return tf.reshape(outputs[0], []), outputs[1 : len(values) + 1], outputs[len(values) + 1 :]

    traced = body.outputs[1 + len(carried) :]
    final, stacked = _repeat(step, rounds, goes_on, carried, traced)
    return *final, *stacked


@op("Scan", since=9)
def scan(call: Call) -> tuple[Tensor, ...]:
    """Return the states after the last element, and what each element gave out, stacked."""
    body, count = call.body("body"), call.attr_int("num_scan_inputs")
    states = [call[index] for index in range(len(call) - count)]
    axes = call.attr_ints("scan_input_axes") or [0] * count
    backwards = call.attr_ints("scan_input_directions") or [0] * count
    arrays = [call[len(states) + index] for index in range(count)]
    moved = [tf.experimental.numpy.moveaxis(array, axis, 0) for array, axis in zip(arrays, axes, strict=True)]
    given = [tf.reverse(array, [0]) if back else array for array, back in zip(moved, backwards, strict=True)]

    def step(index: Tensor, values: Sequence[Tensor]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        outputs = call.emit(body, [*values, *(array[index] for array in given)])
        return tf.constant(True), outputs[: len(values)], outputs[len(values) :]

    length = tf.shape(given[0], tf.int64)[0]
    final, stacked = _repeat(step, length, tf.constant(True), states, body.outputs[len(states) :])
    return *final, *_placed(call, stacked)


def _placed(call: Call, stacked: Sequence[Tensor]) -> list[Tensor]:
    axes = call.attr_ints("scan_output_axes") or [0] * len(stacked)
    backwards = call.attr_ints("scan_output_directions") or [0] * len(stacked)
    return [
        tf.experimental.numpy.moveaxis(tf.reverse(array, [0]) if back else array, 0, axis)
        for array, axis, back in zip(stacked, axes, backwards, strict=True)
    ]


def _repeat(
    step: Callable[..., Any], rounds: Tensor, goes_on: Tensor, carried: Sequence[Tensor], traced: Sequence[ir.Value]
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the carried values and the stacked traces of ``step`` repeated; carried shapes may change on the way."""
    traces = [
        tf.TensorArray(value.dtype.numpy(), 0, dynamic_size=True, infer_shape=False, element_shape=_shape(value))
        for value in traced
    ]

    def body(index: Tensor, _: Tensor, values: Any, arrays: Any) -> Any:
        again, new, given = step(index, values)
        position = tf.cast(index, tf.int32)
        written = [array.write(position, value) for array, value in zip(arrays, given, strict=True)]
        return index + 1, again, new, written

    start = (tf.constant(0, tf.int64), goes_on, list(carried), traces)
    loose = [tf.TensorShape([None] * len(value.shape)) for value in carried]
    invariants = (tf.TensorShape([]), tf.TensorShape([]), loose, [tf.TensorShape(None)] * len(traces))

    def runs(index: Tensor, again: Tensor, *_: Any) -> Tensor:
        return again & (index < rounds)

    try:
        end = tf.while_loop(runs, body, start)
    except ValueError:  # a carried value changes its shape: only its rank is then promised to the rounds
        end = tf.while_loop(runs, body, start, invariants)
    return end[2], [array.stack() for array in end[3]]


def _shape(value: ir.Value) -> list[int | None] | None:
    return None if value.shape is None else [dim if isinstance(dim, int) else None for dim in value.shape]
