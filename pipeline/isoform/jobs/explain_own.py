"""The jobs that ask a file itself, in a child that holds its format's own framework: where its operators differ."""

import importlib
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Tensors
from isoform.core.divergence import MEANING, Divergence
from isoform.core.numerics import threshold_of
from isoform.core.protocols import RunOptions
from isoform.core.semantics import LIMIT, chosen
from isoform.hub.divergence import own, repro
from isoform.hub.divergence.answer import named, of_execution
from isoform.hub.divergence.execution import Execution
from isoform.hub.divergence.file import Operator
from isoform.hub.divergence.location import Clues, Place, located
from isoform.hub.divergence.moments import largest_first

_MOST_CASES = 4


def locate(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return a divergence of the graph that was read back as one of the file itself; None where it is not found there.

    Args:
        arguments: artifact, runtime, cases (path), places (of the cases that were asked), clues (path), divergence (as
            JSON), folder (where the part of the file is left that shows it; made if there is one).
        progress: not used.
    """
    file, cases = _opened(arguments)
    clues, told = Clues.load(Path(arguments["clues"])), Divergence.from_json(arguments["divergence"])
    cases = largest_first(cases)
    place = located(file, cases, clues, is_dropped=told.cause.startswith("a dropped bias"))
    if place is None:
        return {"divergence": None}
    own_words = replace(
        told, operator=str(place.last), operators=named(place.steps), attributes=dict(place.last.attributes),
        line=place.last.line or told.line, others=named(place.others),
        files=_shown(file, cases[0], place, clues, Path(arguments["folder"])),
    )  # fmt: skip
    return {"divergence": own_words.to_json()}


def execute(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the first operator that does not run on a case, or that the runtime computes too inexactly, as JSON.

    None where there is none.

    Args:
        arguments: as of `locate`, without clues and divergence; without places those cases that show most.
        progress: not used.
    """
    file, cases = _opened(arguments)
    for case in cases:
        stopped = stopping(file, case)
        if stopped is not None:
            return {"divergence": _stopped(*stopped, case).to_json()}
    limit = threshold_of(arguments["runtime"], case_files.load(Path(arguments["cases"])).recorded_by).rms
    execution = Execution(file, cases, limit)
    inexact = execution.first()
    found = None if inexact is None else of_execution(execution, inexact, Path(arguments["folder"]))
    return {"divergence": found.to_json() if found else None}


def _opened(arguments: dict[str, Any]) -> tuple[Any, list[Tensors]]:
    row = registry.runtime(arguments["runtime"])
    load = partial(importlib.import_module(row.module).load, options=RunOptions(device=row.device))
    cases = case_files.load(Path(arguments["cases"]))
    places = arguments.get("places") or chosen(cases)[:_MOST_CASES]
    return own.opened(Artifact.from_json(arguments["artifact"]), load), [cases.inputs[place] for place in places]


def stopping(file: Any, case: Tensors) -> tuple[Operator, str] | None:
    """Return the first operator of ``file`` that does not run on ``case``, and what it said; None where all do."""
    steps = file.steps

    def said(count: int) -> str:
        try:
            file.exact.values(case, [name for step in steps[:count] for name in step.outputs])
        except file.refusals as error:
            return _telling(error)
        return ""

    low, high, reason = 0, len(steps), said(len(steps))
    if not reason:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        found = said(middle)
        low, high, reason = (low, middle, found) if found else (middle, high, reason)
    return steps[high - 1], reason


def _telling(error: Exception) -> str:
    """Return the line of an error that says most: what libtorch points at, else what is said last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    pointed = next((lines[place - 1] for place, line in enumerate(lines) if place and "<--- HERE" in line), "")
    return (pointed or (lines or [type(error).__name__])[-1])[:300]


def _stopped(step: Operator, reason: str, case: Tensors) -> Divergence:
    sizes = ", ".join(f"{name} {list(array.shape)}" for name, array in case.items())
    return Divergence(
        MEANING, str(step), (str(step),), "", (), dict(step.attributes), step.line, math.inf, math.inf, 0.0, LIMIT,
        f"it does not run on {sizes}: {reason}; a size was frozen",
    )  # fmt: skip


def _shown(file: Any, case: Tensors, place: Place, clues: Clues, folder: Path) -> tuple[str, ...]:
    """Return the part of the file that shows it; none where what it should give is not known."""
    if place.expected is None:
        return ()
    given = Execution(file, [case], repro.LIMIT).rounded(case, place.inputs)
    title = f"{place.last}: the first operator that means something else than its reference."
    folder.mkdir(parents=True)
    return repro.write(
        file.write, file.form, given, place.output, place.expected, clues.allowed, repro.LIMIT, title, folder
    )
