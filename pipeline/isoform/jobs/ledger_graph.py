"""The stages of a ledger that take the file's graph apart: run operator by operator, and rounded to float16."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Tensors
from isoform.core.ledger import GRAPH, HALF, Stage
from isoform.core.numerics import OutputFigures
from isoform.core.parity import PASS, WARN
from isoform.hub.divergence import traced
from isoform.hub.divergence.values import Evaluation

_MOST_STEPS = 150
"""Operators up to which each is tried in float16 by itself."""


class Judge(Protocol):
    """Who says of answers to the cases how far they are off."""

    cases: Cases

    def of(self, name: str, answers: Sequence[Tensors]) -> Stage: ...
    def figures(self, answers: Sequence[Tensors]) -> list[OutputFigures]: ...


def of_graph(artifact: Artifact, judge: Judge) -> tuple[Stage, Stage, str]:
    """Return the stage of the exported graph, what rounding to float16 would cost, and what to keep in float32."""
    file = traced.read(artifact)
    graph = judge.of(GRAPH, _answers(Evaluation(file.model, is_float64=False), file, judge.cases))
    return graph, *_half(file, judge)


def _answers(
    evaluation: Evaluation,
    file: traced.Traced,
    cases: Cases,
    change: Callable[[str, np.ndarray], np.ndarray] | None = None,
) -> list[Mapping[str, np.ndarray]]:
    return [evaluation.values(case, set(file.outputs), change) for case in cases.inputs]


def _half(file: traced.Traced, judge: Judge) -> tuple[Stage, str]:
    """Return what it would cost to round what every operator gives to float16, and the one operator that costs most."""
    evaluation = Evaluation(file.model, is_float64=False)
    whole = judge.of(HALF, _answers(evaluation, file, judge.cases, lambda _, array: _rounded(array)))
    if whole.verdict in (PASS, WARN) or len(file.steps) > _MOST_STEPS:
        return whole, ""
    alone = {}
    for step in file.steps:
        names = set(step.outputs)
        answers = _answers(
            evaluation,
            file,
            judge.cases,
            lambda name, array, names=names: _rounded(array) if name in names else array,  # type: ignore[misc]
        )
        alone[step] = max(figures.r_rms for figures in judge.figures(answers))
    worst = max(alone, key=lambda step: alone[step])
    names = set(worst.outputs)
    rest = judge.of(HALF, _answers(
        evaluation, file, judge.cases, lambda name, array: array if name in names else _rounded(array)
    ))  # fmt: skip
    return whole, f"{worst} costs most (R_rms {alone[worst]:.3g} alone); kept in float32, R_rms is {rest.r_rms:.3g}"


def _rounded(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.float32:
        return array
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float32)
