"""As tensorflow, with every input but the first an initialiser: the form in which models hold their weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from conformance.targets import tensorflow


def prepare(model: onnx.ModelProto, inputs: list[Any]) -> Callable[[list[Any]], list[Any]]:
    """Return ``serve`` as a function of the first array."""
    are_arrays = all(isinstance(value, np.ndarray) and value.dtype.isbuiltin == 1 for value in inputs[1:])
    if not are_arrays or len(inputs) != len(model.graph.input):
        return tensorflow.prepare(model, inputs)
    baked = onnx.ModelProto()
    baked.CopyFrom(model)
    given = [value.name for value in model.graph.input]
    baked.graph.initializer.extend(map(numpy_helper.from_array, inputs[1:], given[1:]))
    del baked.graph.input[1:]
    run = tensorflow.prepare(baked, inputs[:1])
    return lambda arrays: run(arrays[:1])
