"""The operator of a file that stands where its graph, read back, was found to differ: found by what tensors hold.

The one side writes down what it knows of the tensors that agree and of those that do not, in a child that holds
PyTorch; the other looks for them in the file itself, in a child that holds the file's own framework.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isoform.core.cases import Array, Tensors
from isoform.hub.divergence.ancestry import ancestors
from isoform.hub.divergence.arrangement import best
from isoform.hub.divergence.file import Operator
from isoform.hub.divergence.moments import distances, moments

_ALIKE = 1e-5
"""How far moments of one tensor may be apart, as a share of its RMS: both sides compute in float64."""
_MOVING = {
    "Cast", "ConcatV2", "ExpandDims", "Fill", "GatherV2", "Pack", "Reshape", "Shape", "Slice", "Squeeze",
    "StridedSlice", "TensorListFromTensor", "TensorListStack", "Transpose",
    "contiguous", "expand", "flatten", "permute", "reshape", "slice", "squeeze", "t", "to", "transpose", "unsqueeze",
    "view",
}  # fmt: skip
"""What only moves or shapes what others compute: never named where one of those is."""


@dataclass(frozen=True)
class Clues:
    """What is known of a difference.

    Attributes:
        agreed: moments of the tensors that agree, [tensor, case, moment].
        behind: the same of what the operator gives that differs, then of what follows from it.
        found, expected: what it gives in the first case and what it should, one like the other; in float64.
        others: moments of what other operators give that differ by themselves.
        allowed: the RMS error there that is still rounding.
        holder: the weight that tells; "" where what is computed does.
    """

    agreed: Array
    behind: Array
    others: Array
    found: Array
    expected: Array
    allowed: float
    holder: str

    def save(self, path: Path) -> None:
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(self).items()}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Clues":
        with np.load(path) as archive:
            arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
        return cls(**{**arrays, "allowed": float(arrays["allowed"]), "holder": str(arrays["holder"])})


@dataclass(frozen=True)
class Place:
    """Where it is.

    Attributes:
        steps: the operators from tensors that agree to the first that does not; last: the one that is named.
        others: operators that differ by themselves.
        expected: what `output` should be in the first case; None where it is a tensor further on that was found.
    """

    steps: tuple[Operator, ...]
    last: Operator
    inputs: tuple[str, ...]
    output: str
    others: tuple[Operator, ...]
    expected: Array | None


def rows(found: Mapping[str, Array], names: Iterable[str]) -> Array:
    """Return the moments of some tensors, [tensor, case, moment]."""
    there = [found[name] for name in names if name in found]
    return np.stack(there) if there else np.zeros((0, 0, 0))


def located(file: Any, cases: Sequence[Tensors], clues: Clues, *, is_dropped: bool = False) -> Place | None:
    """Return where in ``file`` a difference is; None where no tensor of it is among those that are looked for.

    Args:
        file: a `file.File` whose exact values can be shown one after the other.
        cases: those of the clues, in their order.
        is_dropped: a bias is known to be lost: an operator that reads zeros in the place of one is the one.
    """
    held, makers = moments(file.exact, cases, set()), file.makers
    names = [name for step in file.steps for name in step.outputs if name in held]

    def first(wanted: Array) -> str | None:
        return next((name for name in names if _is_one(held[name], wanted[None])), None)

    number, output = next(
        ((place, name) for place, each in enumerate(clues.behind) if (name := first(each))), (0, None)
    )
    if output is None:
        return None
    zeros = file.zeros
    known = {
        name for name in names
        if name != output and _is_one(held[name], clues.agreed) and not _adds_nothing(makers[name], name, held)
        and zeros.isdisjoint(makers[name].weights)
    }  # fmt: skip
    steps, inputs = ancestors(makers, output, known)
    readers = [step for step in file.steps if any(_is_named_after(clues.holder, name) for name in step.weights)]
    if is_dropped and not readers:
        readers = [step for step in steps if not zeros.isdisjoint(step.weights)]
    computing = [step for step in steps if step.op_type not in _MOVING]
    last = next((step for step in reversed(steps) if step in readers), (readers or computing or steps)[-1])
    others = [makers[name] for name in map(first, clues.others) if name is not None and makers[name] not in steps]
    expected = None
    if number == 0:
        own = file.exact.values(cases[0], {output})[output]
        expected = best(clues.found, own)[0](clues.expected, own.shape)
    return Place(tuple(steps), last, tuple(inputs), output, tuple(others), expected)


def _is_one(row: Array, known: Array) -> bool:
    same = known[(known[:, :, 0] == row[:, 0]).all(axis=1)] if known.size else known
    return bool(len(same)) and bool(distances(same, row).min() <= _ALIKE)


def _adds_nothing(step: Operator, name: str, held: Mapping[str, Array]) -> bool:
    """Tell whether an operator gives what it reads, as where a bias was lost: what agrees is then what it reads."""
    read = [held[each] for each in step.inputs if each in held]
    return step.op_type not in _MOVING and bool(read) and _is_one(held[name], np.stack(read))


def _is_named_after(holder: str, weight: str) -> bool:
    return bool(holder) and (holder == weight or holder.startswith(f"{weight}/"))
