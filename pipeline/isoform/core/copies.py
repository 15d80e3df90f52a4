"""Altered copies of parameters: a source holds a tied weight once, an export may hold it twice.

One copy may be right and explain the parameter while the other, which a layer reads, is not. A tensor that only the
export has is an altered copy if most of its elements are a parameter's bit for bit, or if it is the parameter rounded
to half precision. Nothing is told of tensors that differ everywhere: they may be computed from the parameter.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_FEWEST_VALUES = 17
"""Different numbers that a parameter must hold: a vector of ones has copies everywhere."""
_SAMPLE = 4096
_MOST = 0.5


def altered_copies(source: Mapping[str, Array], export: Mapping[str, Array], strangers: Collection[str]) -> list[str]:
    """Return a finding for each of ``strangers``, tensors of the export alone, that is a parameter in part only."""
    by_size: dict[int, list[str]] = {}
    for name, array in source.items():
        if array.dtype == np.float32 and np.unique(array.reshape(-1)[:_SAMPLE]).size >= _FEWEST_VALUES:
            by_size.setdefault(array.size, []).append(name)
    return [finding for name in strangers for finding in _findings(name, export[name], source, by_size)]


def _findings(name: str, tensor: Array, source: Mapping[str, Array], by_size: Mapping[int, list[str]]) -> Iterator[str]:
    """Yield what a tensor is an altered copy of; the first parameter that it is one of, if any."""
    if tensor.dtype != np.float32:
        return
    for parameter in by_size.get(tensor.size, ()):
        how = _alteration(source[parameter], np.ascontiguousarray(tensor).reshape(-1))
        if how:
            yield f"the tensor '{name}' is '{parameter}' {how}"
            return


def _alteration(parameter: Array, flat: Array) -> str:
    """Return how ``flat`` differs from the parameter in the order of axes that fits best; "" if it is no copy."""
    core = parameter.reshape([size for size in parameter.shape if size != 1] or [1])
    for order in permutations(range(core.ndim)):
        moved = core.transpose(order)
        head = moved[: max(1, _SAMPLE * len(moved) // max(1, moved.size))].reshape(-1)
        if not _is_alike(head, flat[: head.size]):
            continue
        whole = np.ascontiguousarray(moved).reshape(-1)
        differing = int(np.count_nonzero(whole != flat))
        if np.array_equal(_halved(whole), flat):
            return "rounded to float16"
        if 0 < differing < _MOST * int(np.count_nonzero(whole)):
            return f"but for {differing} of {flat.size} elements"
    return ""


def _is_alike(head: Array, other: Array) -> bool:
    """Tell from the first elements, so that few tensors are compared as a whole."""
    is_equal = (head == other) | (_halved(head) == other)
    told = head != 0
    return int((is_equal & told).sum()) >= _MOST * max(1, int(told.sum()))


def _halved(array: Array) -> Array:
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float32)
