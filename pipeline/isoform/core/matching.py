"""Gate 1: is every parameter of the source in the export, bit for bit, or explained by a known rewriting?

Explanations, the first that holds: ``exact`` (up to transpose and reshape), ``gates`` (the blocks of a recurrent
layer in another order, split or joined), ``batch-norm fold`` (multiplied into the layer before it, within 2 units in
the last place). What none explains is listed; nothing is ever close enough.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.batch_norm import folded_parameters
from isoform.core.fingerprint import bits, digest, fingerprint

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]

GATE_COUNTS = (4, 3)
"""LSTM and GRU: the number of blocks of which their matrices are made."""
_JOINED = (1, 2, 4)
"""How many such matrices stand in one tensor: input and recurrent biases, both directions."""


@dataclass(frozen=True)
class Explanation:
    """Where a source parameter went.

    Attributes:
        how: exact, gates, batch-norm fold or unexplained.
        tensors: names in the export.
    """

    parameter: str
    shape: tuple[int, ...]
    how: str
    tensors: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"parameter": self.parameter, "shape": list(self.shape), "how": self.how, "tensors": list(self.tensors)}


def match(source: Weights, export: Weights) -> list[Explanation]:
    """Return an explanation for every floating-point parameter of ``source``, in its order."""
    wanted = {name: array for name, array in source.items() if array.dtype.kind == "f" and array.size}
    there = {name: array for name, array in export.items() if array.dtype.kind == "f" and array.size}
    index = _Index(there)
    found = {name: _exact(name, array, index) or _gates(name, array, index) for name, array in wanted.items()}
    missing = {name: wanted[name] for name, explanation in found.items() if explanation is None}
    folds = folded_parameters(wanted, missing, there) if missing else {}
    return [
        found[name] or _folded(name, array, folds.get(name)) for name, array in wanted.items()
    ]  # fmt: skip


def ledger(explanations: Iterable[Explanation], export: Weights) -> dict[str, Any]:
    """Return what another machine needs to check the same tensors again without the source."""
    used = {tensor for explanation in explanations for tensor in explanation.tensors}
    return {
        "parameters": [explanation.to_json() for explanation in explanations],
        "tensors": {name: digest(export[name]) for name in sorted(used)},
    }


def against_ledger(recorded: Mapping[str, Any], export: Weights) -> list[str]:
    """Return the recorded tensors that are gone or altered."""
    return [
        f"the tensor '{name}' is {'altered' if name in export else 'gone'} since the export was verified"
        for name, expected in recorded["tensors"].items()
        if name not in export or digest(export[name]) != expected
    ]


class _Index:
    """The export's tensors by fingerprint, whole and in blocks; blocks are read only when first asked for."""

    def __init__(self, tensors: Weights) -> None:
        self._tensors = tensors
        self._whole: dict[tuple[int, int], list[str]] = {}
        for name, array in tensors.items():
            self._whole.setdefault((array.size, fingerprint(array)), []).append(name)
        self._blocks: dict[tuple[str, int], dict[int, list[Array]]] = {}

    def same_elements(self, array: Array) -> Iterator[tuple[str, Array]]:
        """Yield the tensors that hold the same multiset of elements."""
        for name in self._whole.get((array.size, fingerprint(array)), ()):
            yield name, self._tensors[name]

    def holding(self, block: Array, counts: Iterable[int]) -> str | None:
        """Return the name of a tensor of which ``block`` is one of ``count`` equal parts along an axis."""
        key = fingerprint(block)
        for count in counts:
            for name, array in self._tensors.items():
                if array.size == block.size * count and any(
                    is_arrangement(block, other) for other in self._parts(name, array, count).get(key, ())
                ):
                    return name
        return None

    def _parts(self, name: str, array: Array, count: int) -> dict[int, list[Array]]:
        if (name, count) not in self._blocks:
            parts: dict[int, list[Array]] = {}
            for part in _split(array, count):
                parts.setdefault(fingerprint(part), []).append(part)
            self._blocks[name, count] = parts
        return self._blocks[name, count]


def _exact(name: str, array: Array, index: _Index) -> Explanation | None:
    tensors = tuple(other for other, found in index.same_elements(array) if is_arrangement(array, found))
    return Explanation(name, array.shape, "exact", tensors) if tensors else None


def _gates(name: str, array: Array, index: _Index) -> Explanation | None:
    for gates in GATE_COUNTS:
        for axis, size in enumerate(array.shape):
            if size % gates or size == gates:
                continue
            counts = [gates * joined for joined in _JOINED] + [1]
            holders = [index.holding(block, counts) for block in np.split(array, gates, axis)]
            if all(holders):
                return Explanation(name, array.shape, "gates", tuple(dict.fromkeys(filter(None, holders))))
    return None


def _folded(name: str, array: Array, tensors: tuple[str, ...] | None) -> Explanation:
    return Explanation(name, array.shape, "batch-norm fold" if tensors else "unexplained", tensors or ())


def _split(array: Array, count: int) -> Iterator[Array]:
    if count == 1:
        yield array
        return
    squeezed = array.reshape([size for size in array.shape if size != 1] or [1])
    for axis, size in enumerate(squeezed.shape):
        if size % count == 0 and size >= count:
            yield from np.split(squeezed, count, axis)
    if squeezed.ndim == 2:  # [two biases, gates * units], [directions, ...]: parts of the flat row
        yield from np.split(squeezed.reshape(-1), count)


def is_arrangement(array: Array, other: Array) -> bool:
    """Tell whether ``other`` is ``array`` transposed and reshaped, bit for bit."""
    if array.dtype != other.dtype or array.size != other.size:
        return False
    one, two = bits(array), bits(np.ascontiguousarray(other)).reshape(-1)
    axes = [axis for axis, size in enumerate(one.shape) if size != 1]
    core = one.reshape([one.shape[axis] for axis in axes] or [1])
    return any(_same(core.transpose(order), two) for order in permutations(range(core.ndim)))


def _same(view: Array, flat: Array) -> bool:
    """Compare without copying more than one slice of the first axis."""
    if view.ndim < 2:
        return bool(np.array_equal(view, flat))
    rows = flat.reshape(view.shape)
    return all(np.array_equal(view[index], rows[index]) for index in range(len(view)))
