"""The parameters of an emitted module, nested as the names of the initialisers say."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import fx

_SEPARATORS = re.compile(r"[./:]+")
_OTHER = re.compile(r"\W")


class Weights:
    """Turns arrays into parameters (floating point) or buffers of ``root``, each once."""

    def __init__(self, root: torch.nn.Module, tracer: fx.proxy.TracerBase) -> None:
        self._root = root
        self._tracer = tracer
        self._proxies: dict[str, Any] = {}

    def proxy(self, name: str, array: npt.NDArray[Any]) -> Any:
        """Return the proxy of a new parameter or buffer called after ``name``."""
        path = self._free(_path(name))
        tensor = torch.from_numpy(np.array(array))
        owner = self._root
        for part in path[:-1]:
            if not isinstance(getattr(owner, part, None), torch.nn.Module):
                owner.add_module(part, torch.nn.Module())
            owner = getattr(owner, part)
        if tensor.is_floating_point() and tensor.ndim:
            owner.register_parameter(path[-1], torch.nn.Parameter(tensor))
        else:
            owner.register_buffer(path[-1], tensor)
        self._proxies[".".join(path)] = None
        return self._tracer.create_proxy("get_attr", ".".join(path), (), {})

    def _free(self, path: list[str]) -> list[str]:
        """Return ``path``, its last part numbered if that name is taken."""
        last, number = path[-1], 0
        while ".".join(path) in self._proxies or self._is_inside(path):
            number += 1
            path = [*path[:-1], f"{last}_{number}"]
        return path

    def _is_inside(self, path: list[str]) -> bool:
        dotted = ".".join(path)
        return any(taken.startswith(f"{dotted}.") or dotted.startswith(f"{taken}.") for taken in self._proxies)


def _path(name: str) -> list[str]:
    parts = [_OTHER.sub("_", part) for part in _SEPARATORS.split(name) if part]
    return parts or ["weight"]
