"""A TFLite file as the hub graph: each builtin operator as ONNX nodes, weights still views of the file.

Quantised tensors keep their integers: between a DequantizeLinear and a QuantizeLinear stands what an operator computes
with the numbers, and what only moves numbers moves the integers. One function per operator stands in tflite_ops/, in
the file of its family. Not aware of the interpreter; states that it keeps from one call to the next start at zero here.
"""

from collections.abc import Sequence
from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.errors import IsoformError, UsageError
from isoform.hub import graph as hub_graph
from isoform.hub.importers.tflite_dilation import join_dilated
from isoform.hub.importers.tflite_file import Signature, SubGraph, Tensor, TfliteFile, read
from isoform.hub.importers.tflite_ops import families
from isoform.hub.importers.tflite_ops.call import OPERATORS, Call
from isoform.hub.importers.tflite_ops.frame import Frame, Target, is_quantized
from isoform.hub.importers.tflite_ops.table import Reading
from isoform.hub.importers.tflite_ops.types import tensor_type
from isoform.hub.passes.layout import choose_layouts
from isoform.hub.passes.drop_reshapes import drop_reshapes
from isoform.hub.passes.fold_targets import fold_targets
from isoform.hub.passes.simplify import simplify
from isoform.hub.passes.unsigned_activations import unsigned_activations

__all__ = ["OPERATORS", "build", "families", "load"]

OPSET = 20
OPSET_OF_WIDE_INTEGERS = 21
"""The first opset that quantises to 16 bits. Not taken without need: there, ONNX Runtime 1.32 fails where it turns
signed into unsigned integers, since each QuantizeLinear that it adds names its own result INT8."""
_IR_VERSION = 10
_ROUNDS = 4
"""A folded target makes a shape known, and that the next target: this often is enough for what converters write."""
_DEFAULT_SIGNATURE = "serving_default"


def load(source: str | Path | bytes, signature: str | None = None) -> ir.Model:
    """Return the file at a path, or the content of one, as the hub graph.

    Args:
        signature: its key, where the file has several; ``serving_default``, or the only one, unless given.

    Raises:
        UnsupportedOperator: operators that no function here reads, all of them.
        IsoformError: the file is damaged, or holds an operator in a form that ONNX cannot have.
    """
    file = read(source)
    return build(file, _entry(file, signature))


def build(file: TfliteFile, entry: Signature) -> ir.Model:
    """Return what ``entry`` names of a file that is read as the hub graph."""
    OPERATORS.require(file)
    target = Target(file, _inline)
    for name in (*entry.inputs, *entry.outputs):
        target.name(name)
    main = file.sub_graphs[entry.sub_graph]
    inputs = {
        place: _input(name, main.tensors[place], index) for index, (name, place) in enumerate(entry.inputs.items())
    }
    frame = Frame(target, main, [], values=dict(inputs), around=frozenset({main.index}))
    _run(frame)
    outputs = [_output(frame, name, place) for name, place in entry.outputs.items()]
    graph = ir.Graph(
        list(inputs.values()), outputs, nodes=frame.nodes, initializers=list(target.initializers.values()),
        opset_imports={"": _opset(file)}, name=main.name or "main",
    )  # fmt: skip
    model = ir.Model(graph, ir_version=_IR_VERSION, producer_name="isoform")
    _tidy(model)
    _complete_outputs(model, [main.tensors[place] for place in entry.outputs.values()])
    return model


def _opset(file: TfliteFile) -> int:
    tensors = (tensor for graph in file.sub_graphs for tensor in graph.tensors)
    is_wide = any(tensor.dtype == "int16" and is_quantized(tensor) for tensor in tensors)
    return OPSET_OF_WIDE_INTEGERS if is_wide else OPSET


def _entry(file: TfliteFile, key: str | None) -> Signature:
    """Return the signature asked for, its names in the order of the sub-graph."""
    if key is not None and key not in file.signatures:
        known = ", ".join(file.signatures) or "none"
        raise UsageError(f"There is no signature '{key}' in the file.", f"Its signatures: {known}.")
    if key is None and file.signatures:
        key = _DEFAULT_SIGNATURE if _DEFAULT_SIGNATURE in file.signatures else next(iter(file.signatures))
        if key != _DEFAULT_SIGNATURE and len(file.signatures) > 1:
            raise UsageError("The file has several signatures.", f"Name one of: {', '.join(file.signatures)}.")
    if key is None:
        main = file.sub_graphs[0]
        return Signature(0, _tensor_names(main, main.inputs), _tensor_names(main, main.outputs))
    found = file.signatures[key]
    graph = file.sub_graphs[found.sub_graph]
    if not (set(found.inputs.values()) <= set(graph.inputs) and set(found.outputs.values()) <= set(graph.outputs)):
        raise IsoformError(
            f"The signature '{key}' names tensors that are no inputs and outputs of its graph.",
            "Export or fetch the file again.",
            kind="damaged",
        )
    return Signature(
        found.sub_graph,
        dict(sorted(found.inputs.items(), key=lambda item: graph.inputs.index(item[1]))),
        dict(sorted(found.outputs.items(), key=lambda item: graph.outputs.index(item[1]))),
    )


def _tensor_names(graph: SubGraph, places: Sequence[int]) -> dict[str, int]:
    names = [graph.tensors[place].name or f"tensor_{place}" for place in places]
    if len(set(names)) < len(names):
        raise IsoformError(
            f"Two inputs or outputs have one name among {', '.join(names)}.",
            "Export the file with a signature that names them.",
            kind="signature",
        )
    return dict(zip(names, places, strict=True))


def _input(name: str, tensor: Tensor, position: int) -> ir.Value:
    """Return an input; its first axis is called batch where it is dynamic, others by their places."""
    dims = [
        size if size is not None else "batch" if axis == 0 else f"dim_{position}_{axis}"
        for axis, size in enumerate(tensor.shape)
    ]
    return ir.Value(name=name, type=tensor_type(tensor), shape=ir.Shape(dims))


def _run(frame: Frame) -> None:
    for operator in join_dilated(frame.graph).operators:
        tensors = [frame.graph.tensors[place] for place in (*operator.inputs, *operator.outputs) if place != -1]
        function, reading = OPERATORS.rows[operator.name]
        is_real = reading is Reading.REAL or (reading is Reading.ALIKE and not _are_alike(tensors))
        call = Call(operator, frame, is_real)
        try:
            results = function(call)
            values = [results] if isinstance(results, ir.Value) else results
            places = dict(zip(operator.outputs, values, strict=True))
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            # What a damaged file leads to: options of another operator, tensors too few.
            raise call.refusal(f"options or tensors that it cannot have ({type(error).__name__}: {error})") from error
        for place, value in places.items():
            tensor = frame.graph.tensors[place]
            frame.values[place] = frame.quantized(value, tensor) if is_real and is_quantized(tensor) else value


def _are_alike(tensors: Sequence[Tensor]) -> bool:
    """Return whether all tensors that are quantised are so alike, in eight bits: ONNX Runtime moves no others."""
    quantized = [tensor for tensor in tensors if is_quantized(tensor)]
    return all(
        tensor.dtype != "int16"
        and tensor.dtype == quantized[0].dtype
        and tensor.quantization is not None
        and tensor.quantization.same_as(quantized[0].quantization)
        for tensor in quantized
    )


def _inline(outer: Frame, graph: SubGraph, arguments: Sequence[ir.Value]) -> list[ir.Value]:
    if graph.index in outer.around:
        raise IsoformError(
            f"The sub-graph '{graph.name or graph.index}' calls itself.",
            "Export the model again; no loop is written like this.",
            kind="damaged",
        )
    prefix = f"{outer.prefix}{graph.name or f'graph{graph.index}'}/"
    frame = Frame(outer.target, graph, outer.nodes, prefix, dict(zip(graph.inputs, arguments, strict=True)))
    frame.around = outer.around | {graph.index}
    _run(frame)
    return [frame.stored(place) for place in graph.outputs]


def _output(frame: Frame, name: str, place: int) -> ir.Value:
    """Return a value of its own that bears an output's name."""
    value = frame.stored(place)
    taken = {frame.values[each].name: each for each in frame.graph.inputs if each in frame.values}
    if name in taken:
        if taken[name] != place:
            raise IsoformError(
                f"The output '{name}' bears the name of an input that it is not.",
                "Give the signature's outputs names of their own.",
                kind="signature",
            )
        return value
    if value.producer() is None or value.is_graph_output() or value.name in frame.target.outputs:
        value = frame.emit("Identity", [value], {})[0]
    value.name = name
    frame.target.outputs.add(name)
    value.type = tensor_type(frame.graph.tensors[place])
    return value


def _tidy(model: ir.Model) -> None:
    common.RemoveUnusedNodesPass()(model)
    simplify(model)
    hub_graph.infer_shapes(model)
    for _ in range(_ROUNDS):
        if not fold_targets(model):
            break
        hub_graph.infer_shapes(model)
    choose_layouts(model)
    drop_reshapes(model)
    unsigned_activations(model)
    common.RemoveUnusedNodesPass()(model)
    hub_graph.infer_shapes(model)


def _complete_outputs(model: ir.Model, tensors: Sequence[Tensor]) -> None:
    """Give each output the shape that inference left open, as the file declares it; names are those of inputs."""
    symbols = {str(dim) for value in model.graph.inputs for dim in value.shape or () if not isinstance(dim, int)}
    for value, tensor in zip(model.graph.outputs, tensors, strict=True):
        found = [None] * len(tensor.shape) if value.shape is None else list(value.shape)
        if value.shape is None and not tensor.has_rank:
            raise IsoformError(
                f"The output '{value.name}' has no known rank.", "Declare its shape and export again.", kind="signature"
            )
        declared = tensor.shape if len(tensor.shape) == len(found) else [None] * len(found)
        dims = [
            dim if isinstance(dim, int) or str(dim) in symbols else f"{value.name}_{axis}" if size is None else size
            for axis, (dim, size) in enumerate(zip(found, declared, strict=True))
        ]
        value.shape = ir.Shape(dims)
