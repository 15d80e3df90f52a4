"""The job that runs one file in stages, each of which changes one thing, in a child that holds PyTorch."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Floor, Tensors
from isoform.core.ledger import EAGER, GRAPH, HALF, OPTIMISED, TF32, UNOPTIMISED, Stage
from isoform.core.numerics import OutputFigures, judge, threshold_of
from isoform.core.parity import NOT_CHECKED, PASS, WARN
from isoform.core.protocols import RunOptions
from isoform.core.semantics import chosen
from isoform.errors import IsoformError
from isoform.hub.divergence import traced
from isoform.hub.divergence.values import Evaluation

_WORDS = {"ort-cpu": "graph optimisation", "ort-cuda": "graph optimisation", "litert": "XNNPACK"}
_REPAIRS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("1 thread", {"threads": 1}),
    ("without {}", {"is_optimised": False}),
    ("without {}, 1 thread", {"is_optimised": False, "threads": 1}),
)
"""The smallest first; what is not optimised is slower."""
_MOST_STEPS = 150
"""Operators up to which each is tried in float16 by itself."""


def ledger(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the stages, the smallest repair, and what to keep in float32, as JSON.

    Args:
        arguments: artifact, cases (path), runtime (a name).
        progress: called with each finished stage.
    """
    artifact, cases = Artifact.from_json(arguments["artifact"]), case_files.load(Path(arguments["cases"]))
    stages = _Stages(artifact, cases.only(chosen(cases)), registry.runtime(arguments["runtime"]))
    found = [stages.of(EAGER, stages.cases.source or ())]
    kept = ""
    if artifact.format in traced.READABLE:
        file = traced.read(artifact)
        found.append(stages.of(GRAPH, _answers(Evaluation(file.model, is_float64=False), file, stages.cases)))
        half, kept = _half(file, stages)
    else:
        reason = f"not asked: a {artifact.format} file has no operators that can be run one by one"
        found.append(Stage(GRAPH, NOT_CHECKED, reason=reason))
        half = Stage(HALF, NOT_CHECKED, reason=reason)
    progress(step=GRAPH)
    optimised = stages.run(OPTIMISED)
    has_levels = stages.row.name in _WORDS
    unoptimised = stages.run(UNOPTIMISED, is_optimised=False) if has_levels else Stage(
        UNOPTIMISED, NOT_CHECKED, reason="not asked: this runtime has no such option"
    )  # fmt: skip
    found += [unoptimised, optimised, _tf32(stages), half]
    return {
        "stages": [stage.to_json() for stage in found], "kept": kept,
        "repair": "" if optimised.verdict in (PASS, WARN) else _repair(stages, found),
    }  # fmt: skip


class _Stages:
    """Runs one file on the same cases, and judges what comes out as gate 3 does."""

    def __init__(self, artifact: Artifact, cases: Cases, row: registry.Runtime) -> None:
        self.artifact, self.cases, self.row = artifact, cases, row
        self._module = importlib.import_module(row.module)

    def run(self, name: str, **options: Any) -> Stage:
        """Return a stage on the runtime itself."""
        session = self._module.load(self.artifact, RunOptions(**({"device": self.row.device} | options)))
        try:
            return self.of(name, [session.run(case) for case in self.cases.inputs])
        finally:
            session.close()

    def of(self, name: str, answers: Sequence[Tensors]) -> Stage:
        """Return a stage with the figures of answers to the cases."""
        return Stage.of(name, self.figures(answers))

    def figures(self, answers: Sequence[Tensors]) -> list[OutputFigures]:
        assert self.cases.reference is not None
        assert self.cases.source is not None
        assert self.cases.floors is not None
        threshold = threshold_of(self.row.name, self.cases.recorded_by)
        found = []
        for name, floors in self.cases.floors.items():
            exact, own, other = (
                [case[name] for case in column] for column in (self.cases.reference, self.cases.source, answers)
            )
            if exact[0].dtype.kind == "f":
                floor = Floor.over(floors, [array.size for array in exact])
                found.append(judge(name, exact, own, other, floor, threshold))
        if not found:
            raise IsoformError(
                "No output is a float: there is no error to account for.", "Leave out --ledger.", kind="no-float"
            )
        return found


def _answers(
    evaluation: Evaluation,
    file: traced.Traced,
    cases: Cases,
    change: Callable[[str, np.ndarray], np.ndarray] | None = None,
) -> list[Mapping[str, np.ndarray]]:
    return [evaluation.values(case, set(file.outputs), change) for case in cases.inputs]


def _tf32(stages: _Stages) -> Stage:
    if stages.row.device != "cuda":
        return Stage(TF32, NOT_CHECKED, reason="not asked: TF32 is CUDA's")
    return stages.run(TF32, tf32=True)


def _half(file: traced.Traced, stages: _Stages) -> tuple[Stage, str]:
    """Return what it would cost to round what every operator gives to float16, and the one operator that costs most."""
    evaluation = Evaluation(file.model, is_float64=False)
    whole = stages.of(HALF, _answers(evaluation, file, stages.cases, lambda _, array: _rounded(array)))
    if whole.verdict in (PASS, WARN) or len(file.steps) > _MOST_STEPS:
        return whole, ""
    alone = {}
    for step in file.steps:
        names = set(step.outputs)
        answers = _answers(
            evaluation,
            file,
            stages.cases,
            lambda name, array, names=names: _rounded(array) if name in names else array,  # type: ignore[misc]
        )
        alone[step] = max(figures.r_rms for figures in stages.figures(answers))
    worst = max(alone, key=lambda step: alone[step])
    names = set(worst.outputs)
    rest = stages.of(HALF, _answers(
        evaluation, file, stages.cases, lambda name, array: array if name in names else _rounded(array)
    ))  # fmt: skip
    return whole, f"{worst} costs most (R_rms {alone[worst]:.3g} alone); kept in float32, R_rms is {rest.r_rms:.3g}"


def _rounded(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.float32:
        return array
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float32)


def _repair(stages: _Stages, found: Sequence[Stage]) -> str:
    """Return the smallest change of how the file is run after which it passes."""
    if any(stage.name == GRAPH and stage.verdict == "FAIL" for stage in found):
        return "none in how it is run: the graph itself is off; --explain names the operator"
    word = _WORDS.get(stages.row.name)
    for text, options in _REPAIRS:
        if "is_optimised" in options and word is None:
            continue
        if stages.run(OPTIMISED, **options).verdict in (PASS, WARN):
            return text.format(word)
    return "none of those tried: less optimisation, one thread; --explain names the operator"
