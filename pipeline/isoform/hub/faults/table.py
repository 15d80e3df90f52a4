"""What a table of faults is: names, and what plants each in a format's own object."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from isoform.core.signature import TensorSpec

Model = TypeVar("Model")
Item = TypeVar("Item")
Fault = Callable[[Model, np.random.Generator], str | None]
"""Changes a model in place and says what it did; None where it has nothing to do it to."""


def named(table: dict[str, Fault[Model]]) -> Callable[[Fault[Model]], Fault[Model]]:
    """Return what enters a fault into ``table`` under its function's name, in the words that people read."""

    def enter(fault: Fault[Model]) -> Fault[Model]:
        table[fault.__name__.replace("_", " ")] = fault
        return fault

    return enter


def drawn(items: Sequence[Item], rng: np.random.Generator) -> Item | None:
    """Return one of ``items``, whichever ``rng`` draws; None where there is none."""
    return items[int(rng.integers(len(items)))] if items else None


def pair_of_outputs(specs: Sequence[TensorSpec], rng: np.random.Generator) -> tuple[int, int] | None:
    """Return the places of two outputs of one shape and dtype, drawn among all such pairs; None without one."""
    kinds = [(spec.shape, spec.dtype) for spec in specs]
    pairs = [(one, other) for one in range(len(kinds)) for other in range(one) if kinds[one] == kinds[other]]
    return drawn(pairs, rng)


def frozen_sizes(spec: TensorSpec) -> list[int] | None:
    """Return the shape that a trace writes which has seen two of the first dynamic axis; -1 for a second such axis.

    None where no axis is dynamic, or so many that one list of sizes cannot say it.
    """
    dynamic = [axis for axis, dim in enumerate(spec.shape) if isinstance(dim, str)]
    if not dynamic or len(dynamic) > 2:
        return None
    sizes = [dim if isinstance(dim, int) else -1 for dim in spec.shape]
    sizes[dynamic[0]] = 2
    return sizes
