"""What a graph computes from its parameters alone, which a conversion may have computed once and stored instead.

A bias joined from two parameters and zeros, the exponential of a learned scale, a table of positions resized: none of
it depends on the inputs.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from isoform.core.computed import Derived
from isoform.core.fingerprint import Index

Array = npt.NDArray[Any]

_RANDOM = {"Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"}
_RANDOM |= {"RandomUniformLike"}
_OF_SHAPES = {"ConstantOfShape", "Shape", "Size"}
"""Operators whose result no element of their input enters."""


def derived_values(model: ir.Model, parameters: Mapping[str, Array]) -> dict[str, list[Derived]]:
    """Return what is computed next from each of ``parameters`` that the graph holds, and from that, up to the inputs.

    A parameter that an operator reads beside the inputs as it stands has nothing, nor has one that nothing reads.
    """
    fixed = _fixed_nodes(model.graph)
    holders = _holders(model, parameters)
    following = _following([value for held in holders.values() for value in held], fixed)
    arrays = _evaluate(model, list(dict.fromkeys(result for results in following.values() for result in results)))
    made: dict[ir.Value, Derived] = {}
    for value in reversed(_in_order(model.graph, following)):
        results = tuple(made[result] for result in following[value])
        made[value] = Derived(arrays[str(value.name)], _meets_inputs(value, fixed), results)
    return {
        name: [made[result] for value in held for result in following[value]]
        for name, held in holders.items()
        if not any(_meets_inputs(value, fixed) for value in held)
    }


def tensors(model: ir.Model) -> dict[str, Array]:
    """Return the initialisers by name, mapped from their file where they are."""
    known = ((name, value.const_value) for name, value in model.graph.initializers.items())
    return {name: tensor.numpy() for name, tensor in known if tensor is not None}


def _holders(model: ir.Model, parameters: Mapping[str, Array]) -> dict[str, list[ir.Value]]:
    """Return the initialisers that are a parameter bit for bit, transposed or reshaped."""
    sizes = {array.size for array in parameters.values()}
    there = {name: array for name, array in tensors(model).items() if array.dtype.kind == "f" and array.size in sizes}
    index = Index(there)
    return {
        name: [model.graph.initializers[key] for key in index.arrangements(array)] for name, array in parameters.items()
    }


def _fixed_nodes(graph: ir.Graph) -> set[ir.Node]:
    """Return the nodes that depend on no input of the graph and draw no random numbers."""
    fixed: set[ir.Node] = set()
    for node in graph:
        is_plain = node.domain in ("", "ai.onnx") and node.op_type not in _RANDOM
        has_body = any(
            attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
            for attribute in node.attributes.values()
        )
        if is_plain and not has_body and all(_is_fixed(value, fixed) for value in node.inputs):
            fixed.add(node)
    return fixed


def _is_fixed(value: ir.Value | None, fixed: set[ir.Node]) -> bool:
    return value is None or value.const_value is not None or value.producer() in fixed


def _meets_inputs(value: ir.Value, fixed: set[ir.Node]) -> bool:
    return value.is_graph_output() or any(use.node not in fixed for use in value.uses())


def _following(begin: list[ir.Value], fixed: set[ir.Node]) -> dict[ir.Value, list[ir.Value]]:
    """Return, by value, what fixed nodes compute of it, from ``begin`` on."""
    found: dict[ir.Value, list[ir.Value]] = {}
    waiting = list(begin)
    while waiting:
        value = waiting.pop()
        if value not in found:
            nodes = dict.fromkeys(use.node for use in value.uses())
            readers = [node for node in nodes if node in fixed and node.op_type not in _OF_SHAPES]
            found[value] = [result for node in readers for result in node.outputs if _is_read(result)]
            waiting += found[value]
    return found


def _is_read(value: ir.Value) -> bool:
    return value.is_graph_output() or bool(value.uses())


def _in_order(graph: ir.Graph, values: Collection[ir.Value]) -> list[ir.Value]:
    return [value for node in graph for value in node.outputs if value in values]


def _evaluate(model: ir.Model, values: list[ir.Value]) -> dict[str, Array]:
    """Return these values by name, as ONNX' own reference evaluator computes them."""
    if not values:
        return {}
    needed: dict[ir.Node, None] = {}
    feeds: dict[str, Array] = {}
    waiting = list(dict.fromkeys(values))
    wanted = [str(value.name) for value in waiting]
    while waiting:
        value = waiting.pop()
        node = value.producer()
        if node is None:
            assert value.const_value is not None
            feeds[str(value.name)] = value.const_value.numpy()
        elif node not in needed:
            needed[node] = None
            waiting += [read for read in node.inputs if read is not None]
    unknown = onnx.TypeProto()
    graph = onnx.helper.make_graph(
        [ir.to_proto(node) for node in model.graph if node in needed],
        "derived",
        [onnx.helper.make_value_info(name, unknown) for name in feeds],
        [onnx.helper.make_value_info(name, unknown) for name in wanted],
    )
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in model.opset_imports.items()]
    answers = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=opsets)).run(None, feeds)
    return {name: np.asarray(answer) for name, answer in zip(wanted, answers, strict=True)}
