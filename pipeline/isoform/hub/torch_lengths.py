"""``len(tensor)`` in a network's code as the size it is: Python wants a plain number, which freezes the batch."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def symbolic_lengths(module: torch.nn.Module) -> Iterator[None]:
    """Give the files that define the classes of ``module`` a ``len`` that leaves sizes symbolic, for a while.

    PyTorch's own files and those that have a ``len`` of their own stay as they are.
    """
    files = {base.__module__ for child in module.modules() for base in type(child).__mro__}
    spaces = [vars(sys.modules[name]) for name in files if _is_users(name)]
    changed = [space for space in spaces if "len" not in space]
    for space in changed:
        space["len"] = _length
    try:
        yield
    finally:
        for space in changed:
            del space["len"]


def _is_users(name: str) -> bool:
    return name in sys.modules and name.partition(".")[0] not in ("torch", "builtins", "typing", "abc", "isoform")


def _length(value: Any) -> Any:
    return value.shape[0] if isinstance(value, torch.Tensor) and value.ndim else len(value)
