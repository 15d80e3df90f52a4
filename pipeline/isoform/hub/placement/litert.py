"""Which operators of a TFLite file the XNNPACK delegate took, and which LiteRT's own kernels run.

After the first run LiteRT lists the operators of the main graph, and behind them one operator for each piece that a
delegate took, with the tensors it reads and writes: what lies between them is inside. Of sub-graphs, as bodies of loops
are, it lists nothing. Times of operators it does not tell either.
"""

import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx_ir as ir

from isoform.core.artifact import Artifact
from isoform.core.placement import FLOAT, INTEGER, NONE, NOT_TOLD, PlacedNode, Placement
from isoform.core.protocols import Array, RunOptions
from isoform.errors import IsoformError
from isoform.hub import graph as hub_graph
from isoform.hub import ort_profile
from isoform.hub.importers.tflite import PLACE, as_it_stands
from isoform.hub.importers.tflite_entry import entry_of
from isoform.hub.importers.tflite_file import Operator, SubGraph, TfliteFile, read
from isoform.hub.importers.tflite_ops.frame import is_quantized
from isoform.hub.litert_session import LitertSession, opened
from isoform.hub.macs import declared, is_layer, macs
from isoform.hub.shape_inference import at_sizes

DELEGATE, BUILTIN = "XNNPACK", "LiteRT builtin"
_PIECE = "DELEGATE"
Place = tuple[int, int]
"""A sub-graph, and an operator in it."""
Products = dict[Place, tuple[int | None, int | None]]
"""By operator with products: multiply-accumulates over all runs, and how often it ran; None where that is not known."""


def placement(artifact: Artifact, options: RunOptions, inputs: Mapping[str, Array]) -> Placement:
    """Return where each operator of the file runs on these inputs.

    Raises:
        IsoformError: LiteRT refuses the file, or the signature that is meant is not its main graph.
    """
    session = opened(artifact, options)
    try:
        if not isinstance(session, LitertSession):
            raise IsoformError(
                "LiteRT does not tell where the operators of one signature of several ran.",
                "Measure a file with one signature.",
                kind="signature",
            )
        session.run(inputs)
        listed = session.operators()
    finally:
        session.close()
    pieces = [operator for operator in listed if operator["op_name"] == _PIECE]
    taken = delegated([operator for operator in listed if operator["op_name"] != _PIECE], pieces)
    file = read(artifact.model)
    products = _products(artifact, file, inputs)
    nodes = [
        _node(file.sub_graphs[graph], operator, taken, products)
        for graph in _called(file)
        for operator in file.sub_graphs[graph].operators
    ]
    return Placement(DELEGATE if options.is_optimised else BUILTIN, tuple(nodes), {}, len(pieces))


def delegated(operators: Sequence[Mapping[str, Any]], pieces: Sequence[Mapping[str, Any]]) -> set[int]:
    """Return the indices of the operators inside the pieces: those between what a piece reads and what it writes."""
    makers = {int(place): operator for operator in operators for place in operator["outputs"] if place != -1}
    taken: set[int] = set()
    for piece in pieces:
        given = {int(place) for place in piece["inputs"]}
        wanted = [int(place) for place in piece["outputs"]]
        while wanted:
            place = wanted.pop()
            maker = makers.get(place)
            if place in given or maker is None or maker["index"] in taken:
                continue
            taken.add(maker["index"])
            wanted.extend(int(each) for each in maker["inputs"])
    return taken


def _node(graph: SubGraph, operator: Operator, taken: set[int], products: Products) -> PlacedNode:
    target = NOT_TOLD if graph.index else DELEGATE if operator.index in taken else BUILTIN
    tensors = [graph.tensors[place] for place in operator.inputs if place != -1]
    place = graph.index, operator.index
    kind = NONE
    if place in products:
        kind = INTEGER if any(is_quantized(tensor) for tensor in tensors) else FLOAT
    count, runs = products.get(place, (0, 1 if not graph.index else None))
    name = graph.tensors[operator.outputs[0]].name if operator.outputs else operator.name
    return PlacedNode(name, operator.name, target, kind, tensors[0].dtype if tensors else None, count, runs)


def _called(file: TfliteFile) -> list[int]:
    """Return the main graph and those that its operators call."""
    found = [0]
    for index in found:
        for operator in file.sub_graphs[index].operators:
            called = (
                value for name, value in vars(operator.options or object).items() if name.endswith("ubgraphIndex")
            )
            found.extend(each for each in called if isinstance(each, int) and each not in found)
    return found


def _products(artifact: Artifact, file: TfliteFile, inputs: Mapping[str, Array]) -> Products:
    """Return the operators that multiply and accumulate, counted by shapes, else in a run of the same graph."""
    model, _ = as_it_stands(file, entry_of(file, artifact.entry))
    owners = {str(node.name): node.meta[PLACE] for node in model.graph.all_nodes() if PLACE in node.meta}
    layers = {owners[str(node.name)] for node in model.graph.all_nodes() if is_layer(node) and str(node.name) in owners}
    sized = at_sizes(model, {name: array.shape for name, array in inputs.items()})
    inner = {str(node.name) for node in model.graph.all_nodes() if node.graph is not model.graph}
    counts = {str(node.name): macs(node, declared) for node in sized.graph if is_layer(node)}
    is_open = any(is_layer(node) and (str(node.name) in inner or counts[str(node.name)] is None)
                  for node in model.graph.all_nodes())  # fmt: skip
    found: dict[str, tuple[int | None, int | None]] = {name: (count, 1) for name, count in counts.items()}
    if is_open:
        found = _executed(model, inputs)
    products: Products = dict.fromkeys(layers, (None, None))
    for name, (count, runs) in found.items():
        if name in owners and count is not None:
            before = products[owners[name]][0] or 0
            products[owners[name]] = before + count, runs
    return products


def _executed(model: ir.Model, inputs: Mapping[str, Array]) -> dict[str, tuple[int | None, int | None]]:
    """Return multiply-accumulates and runs by the name of the node; nothing where ONNX Runtime cannot tell."""
    if find_spec("onnxruntime") is None:
        return {}
    found: dict[str, tuple[int | None, int | None]] = {}
    with tempfile.TemporaryDirectory(prefix="isoform-placement.") as scratch:
        path = Path(scratch) / "model.onnx"
        hub_graph.save(model, path)
        run = ort_profile.as_it_stands(path, inputs, Path(scratch))
        for event, node in run.steps():
            count = macs(node, run.sizes) if is_layer(node) else None
            if count is not None:
                total, runs = found.get(event.name, (0, 0))
                found[event.name] = (total or 0) + count, (runs or 0) + 1
    return found
