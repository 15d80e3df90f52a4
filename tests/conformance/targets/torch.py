"""The module that hub.to_torch gives, called as it is."""

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import torch

from conformance.forms import Run
from conformance.suite import is_plain
from conformance.verdicts import CannotFeed
from isoform import hub

_BITS = {
    "bfloat16": (torch.bfloat16, np.int16, torch.int16),
    "float8_e4m3fn": (torch.float8_e4m3fn, np.uint8, torch.uint8),
    "float8_e4m3fnuz": (torch.float8_e4m3fnuz, np.uint8, torch.uint8),
    "float8_e5m2": (torch.float8_e5m2, np.uint8, torch.uint8),
    "float8_e5m2fnuz": (torch.float8_e5m2fnuz, np.uint8, torch.uint8),
}
"""PyTorch's type for one that NumPy has not, and the types of the same width that both have."""
_NAMES = {kind: name for name, (kind, _, _) in _BITS.items()}


def prepare(model: onnx.ModelProto, inputs: list[Any]) -> Run:
    """Return the module as a function of arrays."""
    return called(hub.to_torch(model))


def called(module: Any) -> Run:
    """Return a module as a function from arrays to arrays."""

    def run(given: list[Any]) -> list[Any]:
        with torch.no_grad():
            outputs = module(*map(tensor, given))
            return [array(each) for each in (outputs if isinstance(outputs, tuple) else (outputs,))]

    return run


def tensor(value: Any) -> Any:
    """Return a test value as PyTorch has it: a tensor, a list of tensors, or None."""
    if value is None or isinstance(value, list):
        return None if value is None else [tensor(each) for each in value]
    value = np.ascontiguousarray(value) if value.ndim else np.array(value)
    if value.dtype.name in _BITS:
        kind, bits, same = _BITS[value.dtype.name]
        return torch.from_numpy(value.view(bits).copy()).view(same).view(kind)
    if value.dtype.kind not in "fiubc" or not is_plain(value.dtype):
        raise CannotFeed(f"PyTorch has no {value.dtype}")
    return torch.from_numpy(value.copy())


def array(value: Any) -> Any:
    """Return what a module gave as arrays."""
    if value is None or isinstance(value, (list, tuple)):
        return None if value is None else [array(each) for each in value]
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    if value.dtype in _NAMES:
        name = _NAMES[value.dtype]
        return value.view(_BITS[name][2]).numpy().view(getattr(ml_dtypes, name))
    return value.detach().numpy()
