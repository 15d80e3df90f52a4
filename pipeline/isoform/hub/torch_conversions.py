"""``module.to(dtype)`` in a network's own code: where that changes nothing, the module is left as it is.

PyTorch puts new parameters in the place of the old ones nonetheless, which torch.export cannot follow.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import nn


@contextmanager
def unmoved_modules() -> Iterator[None]:
    """Let modules that have the type and the device that they are asked for stay as they are, for a while."""
    to = nn.Module.to

    def to_what_it_is(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
        device, dtype, _, memory_format = torch._C._nn._parse_to(*args, **kwargs)
        is_there = memory_format is None and all(
            _is(tensor, device, dtype) for tensor in chain(module.parameters(), module.buffers())
        )
        return module if is_there else to(module, *args, **kwargs)

    nn.Module.to = to_what_it_is
    try:
        yield
    finally:
        nn.Module.to = to


def _is(tensor: torch.Tensor, device: torch.device | None, dtype: torch.dtype | None) -> bool:
    is_typed = dtype is None or tensor.dtype == dtype or not (tensor.is_floating_point() or tensor.is_complex())
    return is_typed and (device is None or tensor.device == device)
