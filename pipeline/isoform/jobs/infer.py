"""Running a model on cases in a child, and comparing weights with those of its source.

Arrays come and go as files; what is returned is small.
"""

import functools
import importlib
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry
from isoform.core import cases as case_files
from isoform.core import precision as precisions
from isoform.core.artifact import Artifact
from isoform.core.cases import Array, Cases, Tensors
from isoform.core.copies import altered_copies
from isoform.core.matching import (
    SMALLEST_PARAMETER,
    UNEXPLAINED,
    against_ledger,
    ledger,
    match,
    match_rows,
    match_through,
    strangers,
)
from isoform.core.protocols import RunOptions
from isoform.core.quantised import Stored, through_integers
from isoform.core.rounded import through_rounding
from isoform.errors import tells_of_memory
from isoform.intake import onnx_tensors

Progress = Callable[..., None]
_CHECKPOINTS = ("keras", "torch")
"""Formats whose every tensor is a parameter."""
_REASON_LENGTH = 300
_HERE = "<--- HERE"
_NODE = re.compile(r"\[\[\{\{node ")
_PLACE = re.compile(r"Status Message: \S+:\d+ .* was (?:false|true)\. ")
"""Where ONNX Runtime's own code raised; what it found wrong stands behind."""


def run(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Write what a runtime answers to cases, and return the signature that it read from the file.

    A case that does not run is a finding as long as others do; where none runs, the first error is raised.

    Args:
        arguments: runtime, artifact, cases (path), outputs (path to write), options (of `RunOptions`).
        progress: called with the number of finished cases.
    """
    row, artifact = opened(arguments)
    cases = case_files.load(Path(arguments["cases"]))
    options = RunOptions(device=row.device, **arguments.get("options", {}))
    session = importlib.import_module(row.module).load(artifact, options)
    outputs: dict[int, Tensors] = {}
    failures: dict[int, Exception] = {}
    try:
        for index, inputs in enumerate(cases.inputs):
            try:
                outputs[index] = session.run(inputs)
            except MemoryError:
                raise
            except Exception as error:  # runtimes raise types of their own; kept, and named in the record
                if tells_of_memory(str(error)):
                    raise
                failures[index] = error
            progress(case=index + 1, cases=len(cases))
        if failures and not outputs:
            raise failures[0]
        kinds = tuple(cases.kinds[index] for index in outputs)
        case_files.save(Cases(kinds, tuple(outputs.values())), Path(arguments["outputs"]))
        signature = session.signature.to_json()
    finally:
        session.close()
    return {
        "signature": signature,
        "failures": {str(index): _reason(error) for index, error in failures.items()},
        "versions": {name: registry.version_of(name) for name in row.needs},
    }


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    code = [before.strip() for before, line in itertools.pairwise(lines) if _HERE in line]
    if code:  # TorchScript: what failed stands at the end, the line of its code above a mark
        return f"{lines[-1].strip()} at {code[0]}"[:_REASON_LENGTH]
    node = next((place for place, line in enumerate(lines) if _NODE.search(line)), None)
    if node is not None:  # TensorFlow: the node stands behind what is wrong, or in the next line
        before, _, behind = lines[node].partition("[[")
        what = before.strip() or lines[node - 1].strip()
        return f"{behind.partition(']]')[0] or lines[node].strip()} {what}"[:_REASON_LENGTH]
    return _PLACE.sub("", lines[0])[:_REASON_LENGTH] if lines else type(error).__name__


def save_weights(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Write every parameter of a source as one .npy that another child can map, and an index of their names.

    A graph holds constants beside its parameters (epsilons, scales), which a conversion may fold: the smallest tensors
    of a format that is no checkpoint are left out.
    """
    row, artifact = opened(arguments)
    folder = Path(arguments["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    module = importlib.import_module(row.module)
    smallest = 0 if artifact.format in _CHECKPOINTS else SMALLEST_PARAMETER
    for name, array in module.weights(artifact).items():
        if array.size <= smallest:
            continue
        np.save(folder / f"{len(names)}.npy", np.asarray(array), allow_pickle=False)
        names.append(name)
    unused = module.unused(artifact) if hasattr(module, "unused") else []
    rows = module.rows_read(artifact) if hasattr(module, "rows_read") else {}
    (folder / "names.json").write_text(json.dumps({"names": names, "unused": unused, "rows": rows}))
    return {"parameters": len(names)}


def match_weights(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Return where each parameter of the source went, and the ledger of the tensors that hold them.

    Args:
        arguments: runtime, artifact, folder (what `save_weights` wrote), onnx (the graph on the way, or None), float32
            (the file that one of a smaller precision was made of, or None).
        progress: unused; this is one step.
    """
    row, artifact = opened(arguments)
    module = importlib.import_module(row.module)
    float32, integers = arguments["float32"], arguments["integers"]
    if integers:
        export = onnx_tensors.weights(Path(float32))
    else:
        export = module.weights(replace(artifact, model=Path(float32)) if float32 else artifact)
    source, index = mapped_weights(Path(arguments["folder"]))
    explanations = match_rows(match(source, export, index["unused"]), source, export, index["rows"])
    if arguments["onnx"] and any(entry.how == UNEXPLAINED for entry in explanations):
        from isoform.hub import derived, graph  # onnx is there where a route passes ONNX, and not needed elsewhere

        between = graph.load(Path(arguments["onnx"]))
        graph.infer_shapes(between)
        uses = functools.partial(derived.uses, between)
        explanations = match_through(explanations, source, export, derived.tensors(between), uses)
    unknown = strangers(explanations, export)
    altered = altered_copies(source, export, unknown)
    if float32:
        before, export, unknown = export, module.weights(artifact), []
        if integers:
            explanations, strange = through_integers(explanations, source, before, _stored(Path(integers)), export)
        else:
            stored = precisions.lookup(artifact.precision).stored
            explanations, strange = through_rounding(explanations, before, export, stored)
        altered += strange
    return {
        "explanations": [entry.to_json() for entry in explanations],
        "strangers": unknown,
        "altered": altered,
        "ledger": ledger(explanations, export),
    }


def _stored(graph: Path) -> list[Stored]:
    from isoform.hub import graph as hub_graph  # onnx is there where something was quantised
    from isoform.hub.quantize.stored import stored

    return stored(hub_graph.load(graph))


def check_ledger(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Return which of the recorded tensors are altered or gone."""
    row, artifact = opened(arguments)
    export = importlib.import_module(row.module).weights(artifact)
    return {"findings": against_ledger(arguments["ledger"], export)}


def mapped_weights(folder: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return what `save_weights` wrote, memory-mapped, and what it noted of what the source reads of them."""
    index = json.loads((folder / "names.json").read_text())
    arrays = {name: np.load(folder / f"{place}.npy", mmap_mode="r") for place, name in enumerate(index["names"])}
    return arrays, index


def opened(arguments: dict[str, Any]) -> tuple[registry.Runtime, Artifact]:
    """Return the runtime and the artifact that a job was given, the runtime's packages known to be there."""
    row = registry.runtime(arguments["runtime"])
    registry.require(row)
    artifact = Artifact.from_json(arguments["artifact"])
    return row, replace(artifact, model=artifact.model.resolve())
