"""What a graph computes from its parameters alone, which a conversion may have computed once and stored instead.

A bias joined from two parameters and zeros, the exponential of a learned scale, a table of positions resized: none of
it depends on the inputs. The frontier of a parameter are such values that an operator reads which does depend on them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from isoform.core.fingerprint import Index

Array = npt.NDArray[Any]

_RANDOM = {"Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"}
_RANDOM |= {"RandomUniformLike"}
_OF_SHAPES = {"ConstantOfShape", "Shape", "Size"}
"""Operators whose result no element of their input enters."""


def derived_values(model: ir.Model, parameters: Mapping[str, Array]) -> dict[str, list[Array]]:
    """Return, for each of ``parameters`` that the graph holds and reads through constants alone, its frontier.

    A parameter that an operator reads beside the inputs as it stands has none, nor one that nothing reads.
    """
    fixed = _fixed_nodes(model.graph)
    frontiers = {name: _frontier(held, fixed) for name, held in _holders(model, parameters).items()}
    computed = _evaluate(model, [value for values in frontiers.values() for value in values])
    return {name: [computed[str(value.name)] for value in values] for name, values in frontiers.items() if values}


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


def _frontier(held: list[ir.Value], fixed: set[ir.Node]) -> list[ir.Value]:
    """Return what is computed from these values where it meets the inputs, or nothing where one of them does itself."""
    found: list[ir.Value] = []
    seen, waiting = set(held), list(held)
    while waiting:
        value = waiting.pop()
        readers = [use.node for use in value.uses()]
        if value.is_graph_output() or any(node not in fixed for node in readers):
            if value in held:
                return []
            found.append(value)
        results = [
            result for node in readers if node in fixed and node.op_type not in _OF_SHAPES for result in node.outputs
        ]
        waiting += [result for result in results if result not in seen]
        seen.update(results)
    return found


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
