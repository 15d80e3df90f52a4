"""An ONNX file in half precision: weights and operators in float16, but for those that a rule keeps in float32."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.hub import graph
from isoform.hub.passes.name_nodes import name_nodes
from isoform.hub.passes.narrow import narrow

PACKAGES = ("onnx", "onnx_ir")


def write(source: Artifact, target: Path, precision: str) -> tuple[list[str], list[str]]:
    """Write ``source`` to ``target``; weights are rounded when they are written, one at a time.

    Returns:
        The nodes that stay in float32, and the rules that kept them.
    """
    model = graph.load(source.model)
    name_nodes(model)
    graph.infer_shapes(model)
    kept = narrow(model)
    graph.save(model, target)
    note = (
        "operators that sum, divide or exponentiate many numbers, that read constants beyond half precision's range or "
        "that half precision has no form for compute in float32"
    )
    return kept, [note] if kept else []
