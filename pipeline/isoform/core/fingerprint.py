"""Order-independent fingerprints of tensors: equal for every transpose and reshape, different for one altered bit.

The bit pattern of each element goes through the finaliser of splitmix64 (Steele, Lea, Flood 2014) and the results are
summed modulo 2^64, so that a tensor is read once, in pieces, whatever its layout. Where what is proposed is compared
bit for bit anyhow, the plain sum of the bit patterns proposes as well, for a seventh of the time.
"""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_PIECE = 1 << 13
"""Elements hashed at once: their 64-bit intermediates stay in the processor's cache."""
_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


class Index:
    """Tensors by the sum of their bits and by size."""

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._tensors = tensors
        self._keys: dict[tuple[int, int], list[str]] = {}
        self._sizes: dict[int, list[str]] = {}
        for name, array in tensors.items():
            self._keys.setdefault((array.size, bit_sum(array)), []).append(name)
            self._sizes.setdefault(array.size, []).append(name)

    def arrangements(self, array: Array) -> tuple[str, ...]:
        """Return the names of the tensors that are ``array``, transposed and reshaped."""
        names = self._keys.get((array.size, bit_sum(array)), ())
        return tuple(name for name in names if is_arrangement(array, self._tensors[name]))

    def of_size(self, size: int) -> Iterator[tuple[str, Array]]:
        """Yield name and tensor for each that has ``size`` elements."""
        for name in self._sizes.get(size, ()):
            yield name, self._tensors[name]


def bits(array: Array) -> Array:
    """Return the elements' bit patterns as unsigned integers, the shape kept; no copy of a contiguous array."""
    return np.asarray(array).view(_BITS[array.dtype.itemsize])


def bit_sum(array: Array) -> int:
    """Return the sum of the elements' bit patterns modulo 2^64; no copy, whatever the layout."""
    return int(bits(array).sum(dtype=np.uint64))


def fingerprint(array: Array) -> int:
    """Return a 64-bit number that depends on the multiset of bit patterns only."""
    flat = bits(array if array.flags.c_contiguous else np.ascontiguousarray(array)).reshape(-1)
    total = np.uint64(0)
    with np.errstate(over="ignore"):
        for start in range(0, flat.size, _PIECE):
            total += _mixed(flat[start : start + _PIECE].astype(np.uint64)).sum(dtype=np.uint64)
    return int(total)


def is_arrangement(array: Array, other: Array) -> bool:
    """Tell whether ``other`` is ``array`` transposed and reshaped, bit for bit."""
    if array.dtype != other.dtype or array.size != other.size:
        return False
    one, two = bits(array), bits(np.ascontiguousarray(other)).reshape(-1)
    core = one.reshape([size for size in one.shape if size != 1] or [1])
    return any(_same(core.transpose(order), two) for order in permutations(range(core.ndim)))


def digest(array: Array) -> str:
    """Return the SHA-256 of dtype, shape and bytes in order."""
    sha = hashlib.sha256(f"{array.dtype}{array.shape}".encode())
    sha.update(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data if array.size else b"")
    return sha.hexdigest()


def _mixed(value: Array) -> Array:
    value += np.uint64(0x9E3779B97F4A7C15)
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    value ^= value >> np.uint64(31)
    return value


def _same(view: Array, flat: Array) -> bool:
    """Compare without copying more than one slice of the first axis."""
    if view.ndim < 2:
        return bool(np.array_equal(view, flat))
    rows = flat.reshape(view.shape)
    return all(np.array_equal(view[index], rows[index]) for index in range(len(view)))
