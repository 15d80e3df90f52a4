"""Gradient checkpointing in Keras on TensorFlow: segments keep their input only, and are computed again for gradients.

``keras.RematScope`` computes single layers anew, whose inputs all stay. Here a segment of several layers is called
without side effects: what its state becomes is taken from the first computation; the second one begins with the same.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from isoform.errors import IsoformError

_FEWEST_LAYERS = 3


class Recomputing:
    """A functional model, called for training; it has the variables of the model itself.

    Of n layers, the values at the ends of about √n segments are kept: where one tensor is all that goes on.

    Raises:
        IsoformError: there is no such place, or a layer is used twice.
    """

    def __init__(self, model: Any) -> None:
        ends = _ends(model)
        if len(ends) < _FEWEST_LAYERS:
            raise IsoformError(
                f"The network '{model.name}' has no three layers in a chain: there is nothing to compute again.",
                "Leave out --recompute.",
            )
        size = math.ceil(len(ends) / round(math.sqrt(len(ends))))
        chosen = [*ends[size - 1 : -1 : size], ends[-1]]
        begins = [model.inputs[0], *chosen[:-1]]
        self._segments = [keras.Model(begin, end) for begin, end in zip(begins, chosen, strict=True)]

    def __call__(self, inputs: Any) -> Any:
        """Return the output in training mode; moving averages and random states have moved on."""
        for segment in self._segments:
            inputs = _called(segment, inputs)
        return inputs


def _called(segment: Any, inputs: Any) -> Any:
    state = [tf.convert_to_tensor(variable.value) for variable in segment.non_trainable_variables]
    moved: list[Any] = []

    def compute(values: Any, *weights: Any) -> Any:
        outputs, after = segment.stateless_call(list(weights), state, values, training=True)
        moved.append(after)
        return outputs

    weights = [tf.convert_to_tensor(variable.value) for variable in segment.trainable_variables]
    outputs = tf.recompute_grad(compute)(inputs, *weights)
    for variable, value in zip(segment.non_trainable_variables, moved[0], strict=True):
        variable.assign(value)
    return outputs


def _ends(model: Any) -> list[Any]:
    """Return the tensors of ``model``, in order, each of which is all that later layers need of earlier ones."""
    nodes = [node for depth in sorted(model._nodes_by_depth, reverse=True) for node in model._nodes_by_depth[depth]]
    layers = [node.operation for node in nodes]
    if len(set(map(id, layers))) < len(layers):
        raise IsoformError(
            f"The network '{model.name}' uses a layer twice: what to compute again cannot be told.",
            "Leave out --recompute.",
        )
    found = []
    for index in range(len(nodes)):
        made = [tensor for each in nodes[: index + 1] for tensor in each.output_tensors]
        needed = {id(tensor) for each in nodes[index + 1 :] for tensor in each.input_tensors}
        needed |= {id(tensor) for tensor in model.outputs}
        living = [tensor for tensor in made if id(tensor) in needed]
        if len(living) == 1 and living[0] is not model.inputs[0]:
            found.append(living[0])
    return found
