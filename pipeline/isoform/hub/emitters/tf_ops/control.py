"""If and Loop: sub-graphs become the branches and bodies of TensorFlow's own control flow."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.interface import missing
from isoform.hub.emitters.tf_ops.repetition import repeat, trace_of
from isoform.hub.emitters.tf_ops.structure import Optional, joined, parts, rebuilt, shaped_like

_FOREVER = np.iinfo(np.int64).max


@op("If")
def branch(call: Call) -> Any:
    known = call.constant(0)
    if known is not None:
        return call.emit(call.body("then_branch" if known.item() else "else_branch"), [])
    results: dict[str, Sequence[Any]] = {}

    def side(name: str) -> Callable[[], list[Tensor]]:
        def emit() -> list[Tensor]:
            values = call.emit(call.body(name), [])
            models = map(_declared, call.node.outputs)
            results[name] = [shaped_like(each, model) for each, model in zip(values, models, strict=True)]
            return parts(results[name])

        return emit

    tensors = tf.cond(tf.reshape(call[0], []), side("then_branch"), side("else_branch"))
    either = [joined(one, other) for one, other in zip(*results.values(), strict=True)]
    return rebuilt(either, tf.nest.flatten(tensors))


def _declared(value: ir.Value) -> Any:
    """Return what stands for an optional where ``value`` is declared as one; else None."""
    return missing(value.type, value.shape) if isinstance(value.type, ir.OptionalType) else None


@op("Loop")
def loop(call: Call) -> tuple[Any, ...]:
    """Return the carried values after the last round, and what each round gave out, stacked."""
    body = call.body("body")
    carried = [call[index] for index in range(2, len(call))]
    rounds = tf.constant(_FOREVER, tf.int64) if call[0] is None else tf.reshape(call[0], [])
    goes_on = tf.constant(True) if call[1] is None else tf.reshape(call[1], [])

    def step(index: Tensor, values: Sequence[Any]) -> tuple[Tensor, list[Any], list[Tensor]]:
        outputs = call.emit(body, [index, tf.constant(True), *values])
        return tf.reshape(outputs[0], []), outputs[1 : len(values) + 1], outputs[len(values) + 1 :]

    traces = [trace_of(value) for value in body.outputs[1 + len(carried) :]]
    final, stacked = repeat(step, rounds, goes_on, carried, traces)
    return *(_as_declared(*pair) for pair in zip(final, call.node.outputs, strict=False)), *stacked


def _as_declared(value: Any, output: ir.Value) -> Any:
    """Return what an optional holds where the loop promises a value: a round has given it one."""
    is_promised = isinstance(value, Optional) and isinstance(output.type, ir.SequenceType | ir.TensorType)
    return value.value if is_promised else value
