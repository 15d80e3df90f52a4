"""As tflite_weights, with every size of the first input a name: the file has to serve all of them."""

from typing import Any

import onnx

from conformance.forms import Run, weighted
from conformance.targets import tflite


def prepare(model: onnx.ModelProto, inputs: list[Any]) -> Run:
    """Return the interpreter as a function of arrays."""
    return weighted(tflite.prepare, model, inputs, is_dynamic=True)
