"""A part of a TFLite file as a file of its own: what its main graph computes between some tensors and another one."""

from collections.abc import Mapping
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.core.artifact import Artifact
from isoform.core.cases import Array
from isoform.hub.importers.tflite_entry import entry_of
from isoform.hub.importers.tflite_file import read

_IDENTIFIER = b"TFL3"


def of(artifact: Artifact, shapes: Mapping[int, tuple[int, ...]], output: int) -> bytes:
    """Return the operators that give the tensor ``output`` from those in ``shapes``, inputs of these fixed shapes.

    Inputs are called ``input_0``, ``input_1`` ... in the order of ``shapes``, the output ``output``.
    """
    data = np.fromfile(artifact.model, np.uint8)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    graph = model.subgraphs[entry_of(read(artifact.model), artifact.entry).sub_graph]
    graph.operators = _needed(graph, set(shapes), output)
    for number, (place, shape) in enumerate(shapes.items()):
        tensor = graph.tensors[place]
        tensor.name, tensor.shape, tensor.shapeSignature = f"input_{number}".encode(), list(shape), None
        tensor.buffer = 0
    if output not in shapes:
        graph.tensors[output].name = b"output"
    graph.inputs, graph.outputs = list(shapes), [output]
    model.signatureDefs, model.metadata, model.metadataBuffer = [], [], []
    if not any(_calls(operator) for operator in graph.operators):
        model.subgraphs = [graph]
    _keep_buffers(model, data)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _needed(graph: Any, known: set[int], output: int) -> list[Any]:
    makers = {int(place): operator for operator in graph.operators for place in operator.outputs}
    needed: list[Any] = []
    waiting = [output]
    while waiting:
        place = waiting.pop()
        if place in known or place not in makers or any(makers[place] is each for each in needed):
            continue
        needed.append(makers[place])
        waiting += [int(each) for each in makers[place].inputs]
    return [operator for operator in graph.operators if any(operator is each for each in needed)]


def _calls(operator: Any) -> bool:
    """Tell whether an operator calls other sub-graphs."""
    options = vars(operator.builtinOptions or object.__new__(_Nothing))
    return any("subgraph" in name.lower() for name in options)


class _Nothing:
    """Options of an operator without any."""


def _keep_buffers(model: Any, data: Array) -> None:
    """Drop the constants that nothing reads, and take up those that stand behind the flatbuffer."""
    used = set()
    for graph in model.subgraphs:
        read_here = {int(place) for operator in graph.operators for place in operator.inputs}
        for place, tensor in enumerate(graph.tensors):
            if place in read_here:
                used.add(tensor.buffer)
            else:
                tensor.buffer = 0
    for place, buffer in enumerate(model.buffers):
        if place not in used:
            buffer.data, buffer.offset, buffer.size = None, 0, 0
        elif buffer.offset > 1:
            buffer.data = data[buffer.offset : buffer.offset + buffer.size]
            buffer.offset, buffer.size = 0, 0
