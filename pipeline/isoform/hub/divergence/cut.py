"""Parts of a file: the steps between some tensors and one that follows from them, as a graph and as a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.core.cases import Array
from isoform.hub import graph
from isoform.hub.divergence.traced import Traced


def between(traced: Traced, inputs: Sequence[str], output: str) -> ir.Model:
    """Return the part of the graph that gives ``output`` from ``inputs``, names kept.

    Raises:
        ValueError: the output depends on something else, too.
    """
    values = ir.convenience.create_value_mapping(traced.model.graph, include_subgraphs=False)
    part = ir.convenience.extract(traced.model.graph, [values[name] for name in inputs], [values[output]])
    model = ir.Model(part, ir_version=traced.model.ir_version, producer_name="isoform")
    common.RemoveUnusedOpsetsPass()(model)
    return model


def write(traced: Traced, inputs: Mapping[str, Array], output: str, folder: Path) -> tuple[Path, dict[str, str]]:
    """Write a part of a file as one of its own format, for inputs of just these shapes.

    Returns:
        Its path, and by tensor what its inputs and its output are called there.
    """
    if traced.artifact.format == "tflite":
        from isoform.hub.divergence import tflite_part  # only where LiteRT's schema is there

        path = folder / "model.tflite"
        shapes = {traced.places[name]: array.shape for name, array in inputs.items()}
        path.write_bytes(tflite_part.of(traced.artifact, shapes, traced.places[output]))
        return path, {**{name: f"input_{place}" for place, name in enumerate(inputs)}, output: "output"}
    model = between(traced, list(inputs), output)
    for value in model.graph.inputs:
        array = inputs[str(value.name)]
        value.shape, value.type = ir.Shape(array.shape), ir.TensorType(ir.DataType.from_numpy(array.dtype))
    for node in model.graph:
        for value in node.outputs:
            value.shape = None
    graph.infer_shapes(model)
    path = folder / "model.onnx"
    graph.save(model, path)
    return path, {name: name for name in (*inputs, output)}
