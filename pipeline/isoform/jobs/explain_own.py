"""The jobs that ask a file itself, in a child that holds its format's own framework: where its operators differ."""

import importlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Tensors
from isoform.core.divergence import Divergence
from isoform.core.numerics import threshold_of
from isoform.core.protocols import RunOptions
from isoform.hub.divergence import own, repro
from isoform.hub.divergence.answer import named, of_execution
from isoform.hub.divergence.execution import Execution
from isoform.hub.divergence.location import Clues, Place, located
from isoform.hub.divergence.moments import largest_first


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
    place = located(file, cases, clues)
    if place is None:
        return {"divergence": None}
    own_words = replace(
        told, operator=str(place.last), operators=named(place.steps), attributes=dict(place.last.attributes),
        line=place.last.line or told.line, others=named(place.others),
        files=_shown(file, cases[0], place, clues, Path(arguments["folder"])),
    )  # fmt: skip
    return {"divergence": own_words.to_json()}


def execute(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the first operator that the runtime computes too inexactly, as JSON; None where there is none.

    Args:
        arguments: as of `locate`, without clues and divergence.
        progress: not used.
    """
    file, cases = _opened(arguments)
    limit = threshold_of(arguments["runtime"], case_files.load(Path(arguments["cases"])).recorded_by).rms
    execution = Execution(file, cases, limit)
    inexact = execution.first()
    found = None if inexact is None else of_execution(execution, inexact, Path(arguments["folder"]))
    return {"divergence": found.to_json() if found else None}


def _opened(arguments: dict[str, Any]) -> tuple[Any, list[Tensors]]:
    row = registry.runtime(arguments["runtime"])
    load = partial(importlib.import_module(row.module).load, options=RunOptions(device=row.device))
    cases = case_files.load(Path(arguments["cases"]))
    return own.opened(Artifact.from_json(arguments["artifact"]), load), [
        cases.inputs[place] for place in arguments["places"]
    ]


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
