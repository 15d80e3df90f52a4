"""As torchscript, with every input but the first an initialiser: the form in which models hold their weights."""

from typing import Any

import onnx

from conformance.forms import Run, weighted
from conformance.targets import torchscript


def prepare(model: onnx.ModelProto, inputs: list[Any]) -> Run:
    """Return the traced module as a function of arrays."""
    return weighted(torchscript.prepare, model, inputs)
