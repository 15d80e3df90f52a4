"""The job that writes a float32 file of ONNX or TFLite in integers of eight bits, in a child with ONNX Runtime."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Tensors
from isoform.core.decisions import LEAST, agreement
from isoform.core.signature import Signature
from isoform.hub import graph as hub_graph
from isoform.hub.quantize.arithmetic import Arithmetic
from isoform.hub.quantize.onnx_form import for_onnx_runtime
from isoform.hub.quantize.prepared import prepared
from isoform.hub.quantize.quantizer import Quantizer
from isoform.hub.quantize.scales import HIGHEST, UNSATURATED
from isoform.hub.quantize.search import Outcome, search

Progress = Callable[..., None]
_PIECE = 8
"""Samples that go through the graph at once."""
_PACKAGES = {"onnx": ("onnx", "onnxruntime"), "tflite": ("onnx", "onnxruntime", "ai-edge-litert")}


def quantize(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Write the file; return versions, notes, what is kept in float, the search, and how much is of integers.

    Args:
        arguments: source (Artifact as JSON), target (path), precision ("int8", or "dynamic-int8" for weights alone),
            calibration (path of cases: ranges are of them for "int8", and the search asks them), workspace (folder,
            where the graphs in float and in integers stay),
            hub (the ONNX file that a TFLite source was written from, or None).
        progress: called with each sample of each round, and each trial of the search.

    Raises:
        IsoformError: the graph cannot be read or prepared, or the samples do not suit it.
    """
    source = Artifact.from_json(arguments["source"])
    target, workspace = Path(arguments["target"]), Path(arguments["workspace"])
    model = prepared(_graph(source, arguments["hub"]))
    float_path = workspace / "float.onnx"
    hub_graph.save(model, float_path, is_shared=False)
    quantizer = _quantizer(model, source, Path(arguments["calibration"]), arguments["precision"] == "int8", progress)
    outcome = search(quantizer.trial, quantizer.layers, progress, has_ranges=quantizer.is_calibrated)
    highest = UNSATURATED if source.format == "onnx" else HIGHEST  # LiteRT adds products in 32 bits everywhere
    result = quantizer.graph(outcome.chosen.kept, outcome.chosen.is_cut, highest)
    counted = quantizer.arithmetic(result, source.format)
    integers_path = workspace / "integers.onnx"
    hub_graph.save(result, integers_path, is_shared=False)
    _write(result, source, target)
    return {
        "versions": {name: registry.version_of(name) for name in _PACKAGES[source.format]},
        "notes": _notes(outcome, counted, source.format),
        "kept": list(outcome.chosen.kept),
        "float": str(float_path),
        "integers": str(integers_path),
        "search": outcome.to_json(),
        "arithmetic": counted.to_json(),
    }


def _graph(source: Artifact, hub: str | None) -> hub_graph.Graph:
    if source.format == "onnx":
        return source.model
    if hub is not None:
        return Path(hub)
    from isoform import hub as entry

    return entry.from_tflite(source.model, source.entry)


def _quantizer(
    model: ir.Model, source: Artifact, calibration: Path, is_calibrated: bool, progress: Progress
) -> Quantizer:
    def samples() -> Iterator[Tensors]:
        for case in case_files.stream_inputs(calibration):
            yield from pieces(case, source.signature)

    def judged(teacher: Sequence[Tensors], found: Sequence[Tensors]) -> tuple[float, float, bool]:
        inputs = tuple(samples())
        known = Cases(("representative",) * len(inputs), inputs, source=tuple(teacher))
        share, at_least = agreement(source.signature, known, found)
        return share, at_least, at_least >= LEAST

    return Quantizer(model, samples, judged, progress, is_calibrated=is_calibrated)


def pieces(case: Tensors, signature: Signature) -> Iterator[Tensors]:
    """Yield a case a few samples at a time, where its inputs have a batch of any size in common."""
    first = {spec.shape[0] if spec.shape else 1 for spec in signature.inputs}
    sizes = {len(case[spec.name]) for spec in signature.inputs if spec.shape}
    if len(first) != 1 or len(sizes) != 1 or not isinstance(next(iter(first)), str):
        yield case
        return
    for start in range(0, sizes.pop(), _PIECE):
        yield {name: array[start : start + _PIECE] for name, array in case.items()}


def _write(model: ir.Model, source: Artifact, target: Path) -> None:
    if source.format == "onnx":
        for_onnx_runtime(model)
        hub_graph.save(model, target)
        return
    from isoform.converters.onnx_to_tflite import read_back
    from isoform.hub.emitters import tflite
    from isoform.hub.passes.never_negative import note_lowest

    note_lowest(model, {spec.name: spec.low for spec in source.signature.inputs})
    tflite.build(model, is_hybrid=True).save(target)
    read_back(Artifact("tflite", target, source.signature), {})


def _notes(outcome: Outcome, counted: Arithmetic, format_name: str) -> list[str]:
    notes = []
    if outcome.chosen.kept:
        notes.append(f"kept in float by the search: {', '.join(outcome.chosen.kept)}")
    if not outcome.chosen.passed:
        notes.append("no choice of layers passed on the samples of the search; the closest one is written")
    if counted.share is not None and counted.share < 1:
        largest = sorted(counted.in_float, key=lambda name: -counted.in_float[name])[:3]
        notes.append(f"{counted.share:.0%} of the multiply-accumulates are of integers; in float: {', '.join(largest)}")
    return notes
