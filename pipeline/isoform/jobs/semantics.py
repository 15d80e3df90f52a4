"""The job that evaluates a file in float64, in a child that holds PyTorch: its graph, upcast, as a module."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isoform import hub
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Tensors
from isoform.core.precision import FP32, lookup
from isoform.errors import MissingDependency
from isoform.hub import graph
from isoform.hub.passes.ignore_half import ignore_half
from isoform.hub.passes.ignore_integers import ignore_integers
from isoform.hub.passes.upcast import upcast
from isoform.hub.quantize.stored import stored
from isoform.hub.quantize.substituted import substituted
from isoform.hub.reading import read


def evaluate(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Write what a file that is a graph answers to cases if every operator computes in float64.

    Args:
        arguments: artifact, cases (path), outputs (path to write), integers (of the graph that a file of integers was
            made of: the graph of integers, whose weights are put into it; else None).
        progress: called with the number of finished cases.
    """
    artifact, cases = Artifact.from_json(arguments["artifact"]), case_files.load(Path(arguments["cases"]))
    model = _read(artifact)
    if arguments["integers"]:
        model = substituted(model, stored(graph.load(Path(arguments["integers"]))))
    if artifact.precision != FP32:
        ignore = ignore_integers if lookup(artifact.precision).is_integer else ignore_half
        ignore(model)
    upcast(model)
    inputs, outputs = ([value.name for value in side] for side in (model.graph.inputs, model.graph.outputs))
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # what an operator makes on the way is exact too
    try:
        module, answers = hub.to_torch(model), []
        for place, case in enumerate(cases.inputs):
            answers.append(_answer(module, case, inputs, outputs))
            progress(case=place + 1, cases=len(cases))
    finally:
        torch.set_default_dtype(before)
    case_files.save(Cases(cases.kinds, tuple(answers)), Path(arguments["outputs"]))
    return {}


def _read(artifact: Artifact) -> Any:
    if artifact.format == "tflite" and find_spec("ai_edge_litert") is None:
        raise MissingDependency.of("ai_edge_litert", "reading a TFLite file's graph", "litert")
    return read(artifact)


def _answer(module: torch.nn.Module, case: Tensors, inputs: list[str], outputs: list[str]) -> dict[str, Any]:
    tensors = [torch.from_numpy(_wide(case[name])) for name in inputs]
    with torch.no_grad():
        answer = module(*tensors)
    found = answer if isinstance(answer, tuple) else (answer,)
    return {name: tensor.numpy() for name, tensor in zip(outputs, found, strict=True)}


def _wide(array: np.ndarray) -> np.ndarray:
    return np.array(array, np.float64 if array.dtype == np.float32 else array.dtype)
