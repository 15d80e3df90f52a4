"""What a source answers to its cases, and in float64, as far as its own code goes.

Cases are generated from a signature, which does not say all: a text of padding alone is none to many networks.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from isoform.core.cases import Array, Cases, Tensors
from isoform.core.protocols import RunOptions
from isoform.errors import IsoformError

Answers = Callable[[RunOptions, Iterable[Tensors]], list[Tensors]]
_REASON_CHARACTERS = 200
_RANDOM = 2.0**-10
"""Of an output's size: what another order of summation does is far below."""
_FEWEST = 0.5
"""Of the generated cases that a source has to run on."""


@dataclass(frozen=True)
class Answered:
    """The cases that a source runs on, and what it answers to them.

    Attributes:
        notes: what its owner should know, a sentence each.
    """

    cases: Cases
    source: list[Tensors]
    notes: tuple[str, ...] = ()


def answered(answers: Answers, cases: Cases) -> Answered:
    """Return what the source answers in float32; generated cases that it does not run on are left out and told of.

    Raises:
        IsoformError: it does not run on a case of the user's, or on half of those generated; or no two of its answers
            are alike.
    """
    try:
        *source, again = answers(RunOptions(), [*cases.inputs, cases.inputs[0]])
        _refuse_random(source[0], again)
        return Answered(cases, source)
    except (MemoryError, IsoformError):
        raise
    except Exception as error:  # noqa: BLE001 - the source's own code raises types of its own; what it says is told
        return _one_by_one(answers, cases, error)


def _refuse_random(once: Tensors, again: Tensors) -> None:
    for name, array in once.items():
        if array.dtype.kind == "f" and (apart := _apart(array, again[name])) > _RANDOM:
            raise IsoformError(
                f"The source answers the same inputs otherwise the second time, '{name}' by {apart:.1%} of its size: "
                "it draws random numbers, or keeps what it was given.",
                "Make what it draws or keeps an input, or leave that part out of the model.",
                kind="random",
            )


def _apart(one: Array, other: Array) -> float:
    """Return the RMS of the difference in parts of that of ``one``; 1 where the shapes differ."""
    if one.shape != other.shape:
        return 1.0
    difference, size = (float(np.linalg.norm(np.asarray(each, np.float64))) for each in (one - other, one))
    return difference / size if size else float(difference > 0)


def _one_by_one(answers: Answers, cases: Cases, error: Exception) -> Answered:
    source: list[Tensors] = []
    kept, failed = [], []
    for index, case in enumerate(cases.inputs):
        try:
            source += answers(RunOptions(), [case])
            kept.append(index)
        except Exception as raised:  # noqa: BLE001 - as above
            error = raised
            failed.append(index)
    kinds = ", ".join(sorted({cases.kinds[index] for index in failed}))
    if "given" in cases.kinds or len(kept) < _FEWEST * len(cases):
        raise IsoformError(
            f"The source does not run on {len(failed)} of {len(cases)} cases ({kinds}): {reason(error)}",
            "Give inputs that it takes with --cases, or the range of integers in --input.",
            kind="does-not-run",
        ) from error
    note = f"left out {len(failed)} of {len(cases)} cases, on which the source does not run ({kinds}): {reason(error)}"
    return Answered(cases.only(kept), source, (note,) if failed else ())


def reason(error: Exception) -> str:
    """Return the type and the first line of a foreign exception."""
    lines: Sequence[str] = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:_REASON_CHARACTERS]}" if lines else type(error).__name__
