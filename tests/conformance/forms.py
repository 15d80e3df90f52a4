"""Other forms of a case's model: what its caller gives as inputs, models in the field hold as weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

Run = Callable[[list[Any]], list[Any]]
Prepare = Callable[[onnx.ModelProto, list[Any]], Run]


def weighted(prepare: Prepare, model: onnx.ModelProto, inputs: list[Any], *, is_dynamic: bool = False) -> Run:
    """Return a function of all inputs that runs the model with all but the first of them as initialisers.

    A case without a second input, or with one that is no tensor, is run in its own form.

    Args:
        is_dynamic: the first input's sizes, and the outputs', become names: nothing may be frozen.
    """
    held = with_weights(model, inputs)
    if held is None:
        return prepare(model, inputs)
    if is_dynamic:
        loosen(held)
    run = prepare(held, inputs[:1])

    def answer(given: list[Any]) -> list[Any]:
        if all(one is other or np.array_equal(one, other) for one, other in zip(given[1:], inputs[1:], strict=True)):
            return run(given[:1])
        return weighted(prepare, model, given, is_dynamic=is_dynamic)(given)  # another data set holds other weights

    return answer


def with_weights(model: onnx.ModelProto, inputs: list[Any]) -> onnx.ModelProto | None:
    """Return the model with all inputs but the first as initialisers; None where one of them is no tensor."""
    if not all(isinstance(value, np.ndarray) for value in inputs) or len(inputs) != len(model.graph.input):
        return None
    held = onnx.ModelProto()
    held.CopyFrom(model)
    for value, array in zip(held.graph.input[1:], inputs[1:], strict=True):
        held.graph.initializer.append(numpy_helper.from_array(array, value.name))
    del held.graph.input[1:]
    return held


def loosen(model: onnx.ModelProto) -> None:
    """Make every size of the inputs and outputs a name of its own, and forget what lies between, in place."""
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        if value.type.HasField("tensor_type"):
            for axis, dim in enumerate(value.type.tensor_type.shape.dim):
                dim.dim_param = f"{value.name}_{axis}"
