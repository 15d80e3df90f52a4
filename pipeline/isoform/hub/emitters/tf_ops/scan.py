"""Scan: a body over the elements of arrays, states carried from one to the next."""

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir
import tensorflow as tf

from isoform.errors import IsoformError
from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.repetition import repeat, trace_of


@op("Scan")
def scan_of_batches(call: Call) -> tuple[Tensor, ...]:
    """Return the results of each element of the batch, which was the first axis of all before opset 9."""
    if call[0] is not None:
        raise IsoformError(
            f"Scan (node {call.node.name}) of opset 8 is given the lengths of its sequences.",
            "Export the model for opset 9 or later.",
            kind="unsupported-operator",
        )
    body, count = call.body("body"), call.attr_int("num_scan_inputs")
    given = [call[index] for index in range(1, len(call))]
    states = len(given) - count
    batch = tf.shape(given[0], tf.int64)[0]
    traces = [(value.dtype.numpy(), None) for value in body.outputs]

    def one(index: Tensor, _: Any) -> tuple[Tensor, list[Any], list[Tensor]]:
        rows = [each[index] for each in given]
        final, stacked = _scanned(call, body, rows[:states], rows[states:], call.attr_ints("directions"))
        return tf.constant(True), [], [*final, *stacked]

    return tuple(repeat(one, batch, tf.constant(True), [], traces)[1])


@op("Scan", since=9)
def scan(call: Call) -> tuple[Tensor, ...]:
    """Return the states after the last element, and what each element gave out, stacked."""
    body, count = call.body("body"), call.attr_int("num_scan_inputs")
    states = [call[index] for index in range(len(call) - count)]
    axes = call.attr_ints("scan_input_axes") or [0] * count
    arrays = [call[len(states) + index] for index in range(count)]
    moved = [tf.experimental.numpy.moveaxis(array, axis, 0) for array, axis in zip(arrays, axes, strict=True)]
    final, stacked = _scanned(call, body, states, moved, call.attr_ints("scan_input_directions"))
    return *final, *_placed(call, stacked)


def _scanned(
    call: Call, body: ir.Graph, states: Sequence[Tensor], arrays: Sequence[Tensor], backwards: Sequence[int] | None
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the states after the last element of the arrays' first axes, and what each element gave out."""
    turned = backwards or [0] * len(arrays)
    given = [tf.reverse(array, [0]) if back else array for array, back in zip(arrays, turned, strict=True)]

    def step(index: Tensor, values: Sequence[Tensor]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        outputs = call.emit(body, [*values, *(array[index] for array in given)])
        return tf.constant(True), outputs[: len(values)], outputs[len(values) :]

    length = tf.shape(given[0], tf.int64)[0]
    return repeat(
        step, length, tf.constant(True), list(states), [trace_of(value) for value in body.outputs[len(states) :]]
    )


def _placed(call: Call, stacked: Sequence[Tensor]) -> list[Tensor]:
    axes = call.attr_ints("scan_output_axes") or [0] * len(stacked)
    backwards = call.attr_ints("scan_output_directions") or [0] * len(stacked)
    return [
        tf.experimental.numpy.moveaxis(tf.reverse(array, [0]) if back else array, 0, axis)
        for array, axis, back in zip(stacked, axes, backwards, strict=True)
    ]
