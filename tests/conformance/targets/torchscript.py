"""The module traced, as TorchScript files are."""

from typing import Any

import onnx
import torch

from conformance.forms import Run
from conformance.targets.torch import called, tensor
from conformance.verdicts import CannotFeed
from isoform import hub


def prepare(model: onnx.ModelProto, inputs: list[Any]) -> Run:
    """Return the traced module as a function of arrays."""
    module = hub.to_torch(model)
    if not inputs:
        raise CannotFeed("torch.jit.trace takes no module without inputs")
    if any(value is None or (isinstance(value, list) and not value) for value in inputs):
        raise CannotFeed("torch.jit.trace takes no missing value and no empty sequence as an example")
    with torch.no_grad():
        return called(torch.jit.trace(module, tuple(map(tensor, inputs)), check_trace=False, strict=False))
