"""A TFLite file as the hub graph: each builtin operator as ONNX nodes, weights still views of the file.

Quantised tensors keep their integers: between a DequantizeLinear and a QuantizeLinear stands what an operator computes
with the numbers, and what only moves numbers moves the integers. One function per operator stands in tflite_ops/, in
the file of its family. Not aware of the interpreter; states that it keeps from one call to the next start at zero here.
"""

from collections.abc import Sequence
from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.errors import IsoformError
from isoform.hub import graph as hub_graph
from isoform.hub.importers.tflite_dilation import join_dilated
from isoform.hub.importers.tflite_entry import entry_of
from isoform.hub.importers.tflite_file import Signature, SubGraph, Tensor, TfliteFile, read
from isoform.hub.importers.tflite_ops import families
from isoform.hub.importers.tflite_ops.call import COMPLEX, OPERATORS, Call
from isoform.hub.importers.tflite_ops.frame import Frame, Target, is_quantized
from isoform.hub.importers.tflite_ops.table import Reading
from isoform.hub.importers.tflite_ops.types import tensor_type
from isoform.hub.passes.drop_reshapes import drop_reshapes
from isoform.hub.passes.fold_targets import fold_targets
from isoform.hub.passes.layout import choose_layouts
from isoform.hub.passes.simplify import simplify
from isoform.hub.passes.unsigned_activations import unsigned_activations

__all__ = ["OPERATORS", "build", "families", "load"]

OPERATOR = "isoform.tflite.operator"
PLACE = "isoform.tflite.place"
OPSET = 20
_OF_COMPLEX = ("RFFT2D", "REAL", "IMAG", "COMPLEX_ABS", "CAST", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE")
"""Operators that are read with complex numbers."""
OPSET_OF_WIDE_INTEGERS = 21
"""The first opset that quantises to 16 bits. Not taken without need: there, ONNX Runtime 1.32 fails where it turns
signed into unsigned integers, since each QuantizeLinear that it adds names its own result INT8."""
_IR_VERSION = 10
_ROUNDS = 4
"""A folded target makes a shape known, and that the next target: this often is enough for what converters write."""


def load(source: str | Path | bytes, signature: str | None = None) -> ir.Model:
    """Return the file at a path, or the content of one, as the hub graph.

    Args:
        signature: its key, where the file has several; ``serving_default``, or the only one, unless given.

    Raises:
        UnsupportedOperator: operators that no function here reads, all of them.
        IsoformError: the file is damaged, or holds an operator in a form that ONNX cannot have.
    """
    file = read(source)
    return build(file, entry_of(file, signature))


def build(file: TfliteFile, entry: Signature) -> ir.Model:
    """Return what ``entry`` names of a file that is read as the hub graph."""
    model, frame = as_it_stands(file, entry)
    _tidy(model)
    _complete_outputs(model, [frame.graph.tensors[place] for place in entry.outputs.values()])
    return model


def as_it_stands(file: TfliteFile, entry: Signature) -> tuple[ir.Model, Frame]:
    """Return the graph as its operators are read, nothing rewritten; and which value each tensor of it has become.

    A node notes under `OPERATOR`, by its place which operator of the main graph it was read from; and under `PLACE` the
    sub-graph and the operator in it, also inside of loops and branches.
    """
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
    return ir.Model(graph, ir_version=_IR_VERSION, producer_name="isoform"), frame


def _opset(file: TfliteFile) -> int:
    tensors = (tensor for graph in file.sub_graphs for tensor in graph.tensors)
    is_wide = any(tensor.dtype == "int16" and is_quantized(tensor) for tensor in tensors)
    return OPSET_OF_WIDE_INTEGERS if is_wide else OPSET


def _input(name: str, tensor: Tensor, position: int) -> ir.Value:
    """Return an input; the first of several axes is called batch where it is dynamic, others by their places."""
    dims = [
        size if size is not None else "batch" if axis == 0 and len(tensor.shape) > 1 else f"dim_{position}_{axis}"
        for axis, size in enumerate(tensor.shape)
    ]
    return ir.Value(name=name, type=tensor_type(tensor), shape=ir.Shape(dims))


def _run(frame: Frame) -> None:
    for operator in join_dilated(frame.graph).operators:
        tensors = [frame.graph.tensors[place] for place in (*operator.inputs, *operator.outputs) if place != -1]
        function, reading = OPERATORS.rows[operator.name]
        is_real = reading is Reading.REAL or (reading is Reading.ALIKE and not _are_alike(tensors))
        call, begin = Call(operator, frame, is_real), len(frame.nodes)
        if operator.name not in _OF_COMPLEX and any(tensor.dtype == COMPLEX for tensor in tensors):
            raise call.refusal("complex numbers")
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
        for node in frame.nodes[begin:]:
            node.meta[OPERATOR] = operator.index
            node.meta.setdefault(PLACE, (frame.graph.index, operator.index))


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
