"""Order-independent fingerprints of tensors: equal for every transpose and reshape, different for one altered bit.

The bit pattern of each element goes through the finaliser of splitmix64 (Steele, Lea, Flood 2014) and the results are
summed modulo 2^64, so that a tensor is read once, in pieces, whatever its layout.
"""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_PIECE = 1 << 20
_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def bits(array: Array) -> Array:
    """Return the elements' bit patterns as unsigned integers, the shape kept; no copy of a contiguous array."""
    return np.asarray(array).view(_BITS[array.dtype.itemsize])


def fingerprint(array: Array) -> int:
    """Return a 64-bit number that depends on the multiset of bit patterns only."""
    flat = bits(array).reshape(-1) if array.flags.c_contiguous else bits(np.ascontiguousarray(array)).reshape(-1)
    total = np.uint64(0)
    with np.errstate(over="ignore"):
        for start in range(0, flat.size, _PIECE):
            total += _mixed(flat[start : start + _PIECE].astype(np.uint64)).sum(dtype=np.uint64)
    return int(total)


def _mixed(value: Array) -> Array:
    value += np.uint64(0x9E3779B97F4A7C15)
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    value ^= value >> np.uint64(31)
    return value


def digest(array: Array) -> str:
    """Return the SHA-256 of dtype, shape and bytes in order."""
    sha = hashlib.sha256(f"{array.dtype}{array.shape}".encode())
    sha.update(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data if array.size else b"")
    return sha.hexdigest()
