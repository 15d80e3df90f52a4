"""Input sets made for a signature: seeded, of every kind, every dynamic dimension at several sizes."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from isoform.core.cases import Array, Cases, Tensors
from isoform.core.signature import Signature, TensorSpec

DEFAULT_SEED = 20_26
SIZES = {"batch": (1, 3, 2, 5), "other": (7, 1, 13, 32)}
"""Sizes that a dynamic dimension takes, in turn: one, primes, and none that exporters trace with."""
BATCH_NAMES = ("batch", "n", "N")

_KINDS = (
    ("representative", 16),
    ("gaussian", 8),
    ("zeros", 1),
    ("ones", 1),
    ("large", 2),
    ("tiny", 2),
    ("repeated", 2),
)
_MASK_RANK = 2
_MANY = 1 << 16
"""Numbers in the inputs of one sample from which on a network is taken to be a large one."""
_TURN = 7
"""Every seventh set of a large network has a batch, so that each size has its turn; the others have a single row."""


def generate(
    signature: Signature,
    samples: Sequence[Tensors] = (),
    sizes: Mapping[str, Sequence[int]] | None = None,
    seed: int = DEFAULT_SEED,
) -> Cases:
    """Return 32 seeded input sets in the mix of method.md, every dynamic dimension at several sizes.

    A large network runs on single samples mostly: its time is that of all samples together.

    Args:
        samples: representative inputs; each array's leading axis counts samples when the first dimension of its
            spec is dynamic. Without them the representative cases are drawn uniformly from [0, 1).
        sizes: those that a dynamic dimension can have, where it cannot have the usual ones.
    """
    rng = np.random.default_rng(seed)
    kinds = tuple(kind for kind, count in _KINDS for _ in range(count))
    inputs = []
    for index, kind in enumerate(kinds):
        at_least = 2 if kind == "repeated" else 1
        chosen = _sizes(signature, sizes or {}, index, at_least)
        if index % _TURN and _numbers(signature, chosen) > _MANY:
            chosen |= _fewest(signature, sizes or {}, at_least)
        pool = samples[index % len(samples)] if samples else {}
        inputs.append({
            spec.name: draw(spec, kind, spec.sizes(chosen), rng, pool.get(spec.name), index)
            for spec in signature.inputs
        })  # fmt: skip
    return Cases(kinds, tuple(inputs))


def usual_sizes(symbol: str) -> tuple[int, ...]:
    """Return the sizes that a dynamic dimension of this name takes if nothing else is known of it."""
    return SIZES["batch" if symbol in BATCH_NAMES else "other"]


def _sizes(signature: Signature, known: Mapping[str, Sequence[int]], index: int, at_least: int) -> dict[str, int]:
    """Return a size for each dynamic dimension; they move at different rates, so that their combinations vary."""
    sizes = {}
    for position, symbol in enumerate(signature.symbols):
        choices = tuple(known.get(symbol) or usual_sizes(symbol))
        size = choices[(index + index // len(choices) * position) % len(choices)]
        larger = [choice for choice in choices if choice >= at_least]
        sizes[symbol] = larger[0] if position == 0 and size < at_least and larger else size
    return sizes


def _fewest(signature: Signature, known: Mapping[str, Sequence[int]], at_least: int) -> dict[str, int]:
    """Return the smallest batch that is allowed, of at least so many rows where there is one."""
    found = {}
    for symbol in signature.symbols:
        if symbol in BATCH_NAMES:
            choices = known.get(symbol) or usual_sizes(symbol)
            found[symbol] = min((size for size in choices if size >= at_least), default=min(choices))
    return found


def _numbers(signature: Signature, sizes: Mapping[str, int]) -> int:
    """Return how many numbers one sample has in all inputs together."""
    single = {symbol: 1 if symbol in BATCH_NAMES else size for symbol, size in sizes.items()}
    return sum(math.prod(spec.sizes(single)) for spec in signature.inputs)


def draw(
    spec: TensorSpec,
    kind: str,
    shape: tuple[int, ...],
    rng: np.random.Generator,
    sample: Array | None = None,
    index: int = 0,
) -> Array:
    """Return one input of a case of ``kind``; a representative one is taken from ``sample`` where there is one."""
    dtype = np.dtype("float32" if spec.dtype == "bfloat16" else spec.dtype)
    if sample is None and _is_padding_mask(spec):
        return _padding_mask(shape, kind, rng).astype(dtype)
    if kind == "representative" and sample is not None:
        return _fit(sample, shape, index).astype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        return np.asarray(_integers(spec, kind, shape, rng), dtype, order="C")
    return np.asarray(_floats(kind, shape, rng), dtype, order="C")


def _is_padding_mask(spec: TensorSpec) -> bool:
    """Tell whether an input says, for each step of a sequence, if it is there; by its name, as files say no more."""
    return "mask" in spec.name.lower() and len(spec.shape) == _MASK_RANK


def _padding_mask(shape: tuple[int, ...], kind: str, rng: np.random.Generator) -> Array:
    """Return ones for the first steps and zeros for the rest, at least one step a row: nothing attends to nothing."""
    rows, length = shape
    lengths = np.full((rows, 1), length) if kind in ("ones", "large") else rng.integers(1, length + 1, (rows, 1))
    return np.arange(length) < lengths


def _floats(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    if kind == "representative":
        return rng.random(shape)
    if kind in ("zeros", "ones"):
        return np.full(shape, 1.0 if kind == "ones" else 0.0)
    if kind == "repeated":
        return np.broadcast_to(rng.standard_normal(_row(shape)), shape)
    return rng.standard_normal(shape) * {"gaussian": 1.0, "large": 10.0, "tiny": 0.1}[kind]


def _integers(spec: TensorSpec, kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    low = spec.low if spec.low is not None else 0
    high = spec.high if spec.high is not None else low + 2
    if kind == "zeros":
        return np.full(shape, low)
    if kind in ("ones", "large"):
        return np.full(shape, high - 1)
    if kind == "repeated":
        return np.broadcast_to(rng.integers(low, high, _row(shape)), shape)
    return rng.integers(low, high, shape)


def _row(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of what is the same in every sample; a scalar has no samples."""
    return (1, *shape[1:]) if shape else ()


def _fit(sample: Array, shape: tuple[int, ...], index: int) -> Array:
    """Return ``shape`` filled from ``sample``: rows taken in turn, other axes cut or repeated to their size.

    A scalar is taken as it is.
    """
    if not shape:
        return np.asarray(np.take(sample, index % max(np.size(sample), 1)))
    rows = np.take(sample, (np.arange(shape[0]) + index * shape[0]) % len(sample), axis=0)
    for axis, size in enumerate(shape[1:], start=1):
        rows = np.take(rows, np.arange(size) % rows.shape[axis], axis=axis)
    return np.ascontiguousarray(rows)
