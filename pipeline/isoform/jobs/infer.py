"""Running a model on cases in a child: for an export's outputs, for a source's references, and for its weights.

Arrays come and go as files; what is returned is small.
"""

import gc
import importlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Array, Cases, Floor, Tensors
from isoform.core.matching import against_ledger, ledger, match, strangers
from isoform.core.numerics import UNIT_ROUNDOFF
from isoform.core.protocols import Perturbation, RunOptions

Progress = Callable[..., None]
DRAWS = 4
_REASON_LENGTH = 300


def run(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Write what a runtime answers to cases, and return the signature that it read from the file.

    A case that does not run is a finding as long as others do; where none runs, the first error is raised.

    Args:
        arguments: runtime, artifact, cases (path), outputs (path to write), threads.
        progress: called with the number of finished cases.
    """
    row, artifact = _opened(arguments)
    cases = case_files.load(Path(arguments["cases"]))
    options = RunOptions(device=row.device, threads=arguments.get("threads", 0))
    session = importlib.import_module(row.module).load(artifact, options)
    outputs: dict[int, Tensors] = {}
    failures: dict[int, Exception] = {}
    try:
        for index, inputs in enumerate(cases.inputs):
            try:
                outputs[index] = session.run(inputs)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - runtimes raise types of their own; kept, and named in the record
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
    return lines[0][:_REASON_LENGTH] if lines else type(error).__name__


def reference(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Write the cases with float64 outputs, float32 outputs and the rounding floor of every float output.

    The floor is the RMS, over draws, of what relative disturbances of 2^-24 in inputs and weights do in float64.
    """
    row, artifact = _opened(arguments)
    cases = case_files.load(Path(arguments["cases"]))
    module = importlib.import_module(row.module)

    def answers(options: RunOptions, inputs: Iterable[Tensors]) -> list[Tensors]:
        session = module.load(artifact, options)
        try:
            return [session.run(case) for case in inputs]
        finally:
            session.close()
            del session
            gc.collect()  # a framework's functions and models refer to each other: the next copy must not come on top

    source = answers(RunOptions(), cases.inputs)
    progress(step="float32")
    exact = answers(RunOptions(is_float64=True), map(_upcast, cases.inputs))
    progress(step="float64")
    names = [name for name, array in exact[0].items() if array.dtype.kind == "f"]
    squares = dict.fromkeys(names, (0.0, 0))
    peaks = dict.fromkeys(names, 0.0)
    magnitude = UNIT_ROUNDOFF["float32"]
    for draw in range(DRAWS):
        options = RunOptions(is_float64=True, perturbation=Perturbation(draw, magnitude))
        disturbed = answers(options, _disturbed(cases.inputs, draw, magnitude))
        for name in names:
            for one, other in zip(disturbed, exact, strict=True):
                difference = _finite_difference(one[name], other[name])
                total, count = squares[name]
                squares[name] = (total + float(np.square(difference).sum()), count + difference.size)
                peaks[name] = max(peaks[name], float(np.abs(difference).max(initial=0.0)))
        progress(step=f"perturbed {draw + 1}/{DRAWS}")
    floors = {
        name: Floor(float(np.sqrt(total / count)) if count else 0.0, peaks[name])
        for name, (total, count) in squares.items()
    }
    case_files.save(cases.with_reference(exact, source, floors, row.name), Path(arguments["outputs"]))
    return {"versions": {name: registry.version_of(name) for name in row.needs}}


def save_weights(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Write every parameter of a source as one .npy that another child can map, and an index of their names."""
    row, artifact = _opened(arguments)
    folder = Path(arguments["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    for name, array in importlib.import_module(row.module).weights(artifact).items():
        np.save(folder / f"{len(names)}.npy", np.asarray(array), allow_pickle=False)
        names.append(name)
    (folder / "names.json").write_text(json.dumps(names))
    return {"parameters": len(names)}


def match_weights(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Return where each parameter of the source went, and the ledger of the tensors that hold them."""
    row, artifact = _opened(arguments)
    export = importlib.import_module(row.module).weights(artifact)
    explanations = match(mapped_weights(Path(arguments["folder"])), export)
    return {
        "explanations": [entry.to_json() for entry in explanations],
        "strangers": strangers(explanations, export),
        "ledger": ledger(explanations, export),
    }


def check_ledger(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Return which of the recorded tensors are altered or gone."""
    row, artifact = _opened(arguments)
    export = importlib.import_module(row.module).weights(artifact)
    return {"findings": against_ledger(arguments["ledger"], export)}


def mapped_weights(folder: Path) -> dict[str, Array]:
    """Return what `save_weights` wrote, memory-mapped."""
    names = json.loads((folder / "names.json").read_text())
    return {name: np.load(folder / f"{index}.npy", mmap_mode="r") for index, name in enumerate(names)}


def _opened(arguments: dict[str, Any]) -> tuple[registry.Runtime, Artifact]:
    row = registry.runtime(arguments["runtime"])
    registry.require(row)
    artifact = Artifact.from_json(arguments["artifact"])
    return row, replace(artifact, model=artifact.model.resolve())


def _upcast(case: Tensors) -> Tensors:
    return {name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in case.items()}


def _disturbed(inputs: Iterable[Tensors], seed: int, magnitude: float) -> Iterable[Tensors]:
    rng = np.random.default_rng(seed)
    for case in map(_upcast, inputs):
        yield {
            name: array * (1 + rng.uniform(-magnitude, magnitude, array.shape)) if array.dtype.kind == "f" else array
            for name, array in case.items()
        }


def _finite_difference(one: Array, other: Array) -> Array:
    is_finite = np.isfinite(one) & np.isfinite(other)
    return one[is_finite] - other[is_finite]
