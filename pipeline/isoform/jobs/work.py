"""The job that counts what one inference of a file takes: in its graph, by running that where sizes are open."""

import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx_ir as ir

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array
from isoform.core.work import Work
from isoform.errors import MissingDependency
from isoform.hub import graph as hub_graph
from isoform.hub import ort_profile, work
from isoform.hub.reading import read
from isoform.jobs.measure import inputs_of


def count(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the core.work.Work of one query as JSON.

    Args:
        arguments: artifact (of a format that is a graph, as JSON), inputs (path of an npz).
        progress: unused; this is one step.

    Raises:
        IsoformError: the file cannot be read as a graph.
    """
    artifact = Artifact.from_json(arguments["artifact"])
    return work_of(artifact, inputs_of(Path(arguments["inputs"]), artifact)).to_json()


def work_of(artifact: Artifact, inputs: Mapping[str, Array]) -> Work:
    """Return the work of one inference; an unoptimised run tells what shapes do not, where ONNX Runtime is there."""
    if artifact.format == "tflite" and find_spec("ai_edge_litert") is None:
        raise MissingDependency.of("ai_edge_litert", "reading a TFLite file's graph", "litert")
    model = read(artifact)
    found = work.counted(model, {name: array.shape for name, array in inputs.items()})
    if found.unknown and find_spec("onnxruntime") is not None:
        with tempfile.TemporaryDirectory(prefix="isoform-work.") as scratch:
            path = artifact.model if artifact.format == "onnx" else _written(model, Path(scratch))
            return work.observed(ort_profile.as_it_stands(path, inputs, Path(scratch)))
    return found


def _written(model: ir.Model, folder: Path) -> Path:
    path = folder / "model.onnx"
    hub_graph.save(model, path)
    return path
