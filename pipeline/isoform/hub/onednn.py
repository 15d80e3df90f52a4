"""libtorch's use of oneDNN."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def switched(*, is_on: bool) -> Iterator[None]:
    """Let libtorch use oneDNN or not; PyTorch's own context sets TF32 as well, and warns of it."""
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(before and is_on)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)
