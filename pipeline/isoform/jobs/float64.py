"""The job that evaluates a file in float64 on the runtime of its format, where that runtime has a float64."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isoform.core import cases as case_files
from isoform.core.cases import Cases, widened
from isoform.core.protocols import RunOptions
from isoform.jobs.infer import opened


def evaluate(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Write what a file answers to cases if every operator computes in float64.

    Args:
        arguments: runtime, artifact, cases (path), outputs (path to write).
        progress: called with the number of finished cases.
    """
    row, artifact = opened(arguments)
    cases = case_files.load(Path(arguments["cases"]))
    session = importlib.import_module(row.module).load(artifact, RunOptions(is_float64=True))
    answers = []
    try:
        for place, case in enumerate(cases.inputs):
            answers.append(session.run(widened(case)))
            progress(case=place + 1, cases=len(cases))
    finally:
        session.close()
    case_files.save(Cases(cases.kinds, tuple(answers)), Path(arguments["outputs"]))
    return {}
