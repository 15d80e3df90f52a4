"""The job that gives an ONNX file other axes on the outside."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from isoform.core.layout import permutation
from isoform.core.signature import Signature
from isoform.hub import graph
from isoform.hub.passes.outside_layout import move_outside
from isoform.registry import version_of


def move(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Write the model again with its images in another layout, and return the versions of what wrote it.

    Args:
        arguments: model (path), target (path), before and after (signatures as JSON).
        progress: unused; this is one step.
    """
    before, after = (Signature.from_json(arguments[key]) for key in ("before", "after"))
    model = graph.load(Path(arguments["model"]))
    sides = (zip(before.inputs, after.inputs, strict=True), zip(before.outputs, after.outputs, strict=True))
    inputs, outputs = (
        {one.name: order for one, other in side if (order := permutation(one, other)) is not None} for side in sides
    )
    move_outside(model, inputs, outputs)
    graph.save(model, Path(arguments["target"]))
    return {"versions": {"onnx_ir": version_of("onnx_ir")}}
