"""The module traced, as TorchScript files are."""

from collections.abc import Callable
from typing import Any

import onnx
import torch

from conformance.targets.torch import called, tensor
from conformance.verdicts import CannotFeed
from isoform import hub


def prepare(model: onnx.ModelProto, inputs: list[Any]) -> Callable[[list[Any]], list[Any]]:
    """Return the traced module as a function of arrays."""
    if not inputs:
        raise CannotFeed("nothing to trace with: the graph has no inputs")
    tensors = tuple(map(tensor, inputs))
    with torch.no_grad():
        return called(torch.jit.trace(hub.to_torch(model), tensors, check_trace=False, strict=False))
