"""A traced TensorFlow function without its weights: one graph, calls inlined, a placeholder for each weight.

Weights that a loop takes stay inside as constants: TensorFlow writes recurrent layers as loops, and the converter knows
them by their weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2, types_pb2

from isoform.core.protocols import Array
from isoform.hub.importers.tensorflow import weights as captures
from isoform.hub.importers.tensorflow.inlining import inlined
from isoform.hub.importers.tensorflow.reads import replace_reads
from isoform.hub.importers.tensorflow.references import replace_references
from isoform.hub.importers.tensorflow.stored import Stored
from isoform.hub.importers.tensorflow.weights import Weight

LARGEST_LOOP_BYTES = 256 * 2**20
LARGEST_INSIDE_BYTES = 64 * 2**10
"""Constants of the graph beyond this size are taken out of it, as weights are."""
_LOOPS = ("While", "StatelessWhile")


@dataclass(frozen=True)
class Skeleton:
    """What the converter sees, and what is put back behind it.

    Attributes:
        inputs: tensors of the function's arguments, then of the weights: ``name:0``.
        weights: name and value of each, by the placeholder that stands for it.
        inside: the names of weights that are constants of the graph, by node.
    """

    graph: graph_pb2.GraphDef
    inputs: list[str]
    outputs: list[str]
    weights: dict[str, tuple[str, Array]]
    inside: dict[str, str]


def of_function(
    function: Any, names: Mapping[int, str], references: Mapping[str, Any], stored: Mapping[int, Stored]
) -> Skeleton:
    """Return the skeleton of a ConcreteFunction.

    Args:
        names: what a variable is called, by the id of its handle.
        stored: the values of variables that hold none, by the id of the handle.
        references: the values of TensorFlow 1's variables, which are nodes of the graph, by the names of these.

    Raises:
        IsoformError: the function writes to variables, or holds resources that are none.
    """
    found, constants, others = captures.captured(function, names, stored)
    graph = inlined(function)
    captures.refuse_resources(graph, others)
    found |= replace_references(graph, references)
    replace_reads(graph, found)
    nodes = {node.name: node for node in graph.node}
    for name, value in constants.items():
        _make_constant(nodes[name], value)
    inside = {name: found.pop(name) for name in _within_loops(graph, found)}
    for name, weight in inside.items():
        _make_constant(nodes[name], weight.read())
    values = {name: (weight.name, weight.array()) for name, weight in found.items()}
    values |= _taken_out(graph)
    captured = {placeholder.op.name for _, placeholder in function.graph.captures}
    arguments = [tensor.name for tensor in function.inputs if tensor.op.name not in captured]
    return Skeleton(
        graph,
        [*arguments, *(f"{name}:0" for name in values)],
        [tensor.name for tensor in function.outputs],
        values,
        {name: weight.name for name, weight in inside.items()},
    )


def _make_constant(node: Any, value: Any) -> None:
    node.op = "Const"
    del node.input[:]
    node.attr.clear()
    node.attr["dtype"].type = value.dtype.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value.numpy()))


def _within_loops(graph: graph_pb2.GraphDef, weights: Mapping[str, Weight]) -> list[str]:
    """Return the weights that loops take, if they are small enough to travel through the graph."""
    through = {node.name: node.input[0] for node in graph.node if node.op == "Identity" and node.input}
    found = {
        source
        for node in graph.node
        if node.op in _LOOPS
        for name in node.input
        if (source := _origin(name, through)) in weights
    }
    return sorted(found) if sum(weights[name].size_bytes for name in found) <= LARGEST_LOOP_BYTES else []


def _origin(name: str, through: Mapping[str, str]) -> str:
    while (name := name.removesuffix(":0")) in through:
        name = through[name]
    return name


def _taken_out(graph: graph_pb2.GraphDef) -> dict[str, tuple[str, Array]]:
    """Turn large constants of numbers into placeholders and return their values, all but what loops take."""
    through = {node.name: node.input[0] for node in graph.node if node.op == "Identity" and node.input}
    held = {_origin(name, through) for node in graph.node if node.op in _LOOPS for name in node.input}
    found: dict[str, tuple[str, Array]] = {}
    for node in graph.node:
        if node.op != "Const" or node.name in held or node.attr["dtype"].type == types_pb2.DT_STRING:
            continue
        proto = node.attr["value"].tensor
        if proto.ByteSize() > LARGEST_INSIDE_BYTES:
            found[node.name] = (node.name, tf.make_ndarray(proto))
            dtype, shape = node.attr["dtype"].type, proto.tensor_shape
            node.op = "Placeholder"
            node.attr["shape"].shape.CopyFrom(shape)
            for name in [name for name in node.attr if name not in ("dtype", "shape")]:
                del node.attr[name]
            node.attr["dtype"].type = dtype
    return found
