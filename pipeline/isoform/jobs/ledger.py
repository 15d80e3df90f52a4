"""The jobs that run one file in stages, each of which changes one thing, and in ways that may repair it.

In a child that holds PyTorch, which evaluates the graphs of ONNX and TFLite files; for a TorchScript file or a
SavedModel in one that holds its own framework.
"""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Floor, Tensors
from isoform.core.ledger import (
    EAGER,
    GRAPH,
    HALF,
    NO_REPAIR,
    NONE_FOUND,
    ONCE,
    ONE_THREAD,
    OPTIMISED,
    REPAIRS,
    TF32,
    UNOPTIMISED,
    Repair,
    Stage,
)  # fmt: skip
from isoform.core.numerics import OutputFigures, judge, threshold_of
from isoform.core.parity import NOT_CHECKED, PASS, WARN
from isoform.core.protocols import RunOptions, Session
from isoform.core.semantics import chosen
from isoform.errors import IsoformError
from isoform.hub.divergence import own

_READABLE = ("onnx", "tflite")


def ledger(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the stages, the smallest repair, and what to keep in float32, as JSON.

    Repairs that need a process each are not tried here: ``is_open`` says that they are left to do.

    Args:
        arguments: artifact, cases (path), runtime (a name).
        progress: called with each finished stage.
    """
    stages = _stages(arguments)
    artifact = stages.artifact
    found, kept = [stages.of(EAGER, stages.cases.source or ())], ""
    if artifact.format in _READABLE:
        from isoform.jobs import ledger_graph  # only where PyTorch is there

        graph, half, kept = ledger_graph.of_graph(artifact, stages)
    else:
        graph, half = _own_graph(stages), Stage(HALF, NOT_CHECKED, reason="not asked: of ONNX and TFLite files only")
    progress(step=GRAPH)
    optimised = stages.run(OPTIMISED)
    has_levels = any("is_optimised" in repair.options for repair in REPAIRS.get(stages.row.name, ()))
    unoptimised = stages.run(UNOPTIMISED, is_optimised=False) if has_levels else Stage(
        UNOPTIMISED, NOT_CHECKED, reason="not asked: this runtime has no such option"
    )  # fmt: skip
    found += [graph, unoptimised, optimised, _tf32(stages), half]
    is_failed = optimised.verdict not in (PASS, WARN)
    is_open = is_failed and graph.verdict != "FAIL" and stages.row.name in ONCE
    return {
        "stages": [stage.to_json() for stage in found], "kept": kept, "is_open": is_open,
        "repair": _repair(stages, graph) if is_failed and not is_open else "",
    }  # fmt: skip


def passes(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return whether the file passes if it is run otherwise.

    Args:
        arguments: those of `ledger`, and options (of `RunOptions`).
        progress: not used.
    """
    return {"passes": _is_repaired(_stages(arguments), Repair("", arguments["options"]))}


def _stages(arguments: dict[str, Any]) -> "_Stages":
    artifact, cases = Artifact.from_json(arguments["artifact"]), case_files.load(Path(arguments["cases"]))
    return _Stages(artifact, cases.only(chosen(cases)), registry.runtime(arguments["runtime"]))


class _Stages:
    """Runs one file on the same cases, and judges what comes out as gate 3 does."""

    def __init__(self, artifact: Artifact, cases: Cases, row: registry.Runtime) -> None:
        self.artifact, self.cases, self.row = artifact, cases, row
        self._module = importlib.import_module(row.module)

    def run(self, name: str, **options: Any) -> Stage:
        """Return a stage on the runtime itself."""
        session = self.load(self.artifact, **options)
        try:
            return self.of(name, [session.run(case) for case in self.cases.inputs])
        finally:
            session.close()

    def load(self, artifact: Artifact, **options: Any) -> Session:
        """Open a file in the runtime."""
        session: Session = self._module.load(artifact, RunOptions(**({"device": self.row.device} | options)))
        return session

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


def _own_graph(stages: _Stages) -> Stage:
    """Return the stage of a graph that its own framework runs, one operator after the other, as plainly as it can."""
    artifact = stages.artifact
    if artifact.format not in own.FORMATS:
        reason = f"not asked: a {artifact.format} file has no operators that can be run one by one"
        return Stage(GRAPH, NOT_CHECKED, reason=reason)
    file = own.opened(artifact, stages.load)
    names = dict(zip(file.outputs, (spec.name for spec in artifact.signature.outputs), strict=True))
    answers = [file.single.values(case, file.outputs) for case in stages.cases.inputs]
    return stages.of(GRAPH, [{names[name]: array for name, array in each.items()} for each in answers])


def _tf32(stages: _Stages) -> Stage:
    if stages.row.device != "cuda":
        return Stage(TF32, NOT_CHECKED, reason="not asked: TF32 is CUDA's")
    return stages.run(TF32, tf32=True)


def _repair(stages: _Stages, graph: Stage) -> str:
    """Return the smallest change of how the file is run after which it passes."""
    if graph.verdict == "FAIL":
        return NO_REPAIR
    repairs = REPAIRS.get(stages.row.name, ONE_THREAD)
    return next((repair.text for repair in repairs if _is_repaired(stages, repair)), NONE_FOUND)


def _is_repaired(stages: _Stages, repair: Repair) -> bool:
    return stages.run(OPTIMISED, **repair.options).verdict in (PASS, WARN)
