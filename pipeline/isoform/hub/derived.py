"""What a graph computes from its parameters alone, which a conversion may have computed once and stored instead.

A bias joined from two parameters and zeros, the exponential of a learned scale, a table of positions resized: none of
it depends on the inputs. Nor does a factor of channels that it may have multiplied into the layer beside it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from isoform.core.computed import Derived, Uses
from isoform.hub.affine_steps import Steps
from isoform.hub.folds import folds
from isoform.hub.passes.fold_weights import constant
from isoform.hub.reference_evaluator import evaluator

Array = npt.NDArray[Any]

_RANDOM = {"Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"}
_RANDOM |= {"RandomUniformLike"}
_OF_SHAPES = {"ConstantOfShape", "Shape", "Size"}
"""Operators whose result no element of their input enters."""


def uses(model: ir.Model, names: Iterable[str]) -> dict[str, Uses]:
    """Return, by initialiser among ``names``, what reads it and what may stand for it there, up to the inputs."""
    fixed = _fixed_nodes(model.graph)
    begin = [model.graph.initializers[name] for name in names]
    following = _following(begin, fixed)
    beside = {value for node in model.graph if node not in fixed for value in node.inputs if _is_computed(value, fixed)}
    arrays = _evaluate(model, list(dict.fromkeys([*(set(following) - set(begin)), *beside])))
    steps = Steps(lambda value: _array(value, arrays), model.opset_imports.get("", 1))
    stand_ins = folds(model.graph, steps)
    made: dict[ir.Value, Derived] = {}

    def used(value: ir.Value) -> Uses:
        results = [(made[result],) for result in following[value]]
        readers = dict.fromkeys(use.node for use in value.uses() if use.node not in fixed)
        outside = [()] if value.is_graph_output() else []
        return (*results, *(stand_ins.get(node, ()) for node in readers), *outside)

    for value in reversed(_in_order(model.graph, following)):
        made[value] = Derived(arrays[str(value.name)], used(value))
    return {str(value.name): used(value) for value in begin}


def tensors(model: ir.Model) -> dict[str, Array]:
    """Return the initialisers by name, mapped from their file where they are."""
    known = ((name, value.const_value) for name, value in model.graph.initializers.items())
    return {name: tensor.numpy() for name, tensor in known if tensor is not None}


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


def _is_computed(value: ir.Value | None, fixed: set[ir.Node]) -> bool:
    return value is not None and value.producer() in fixed


def _array(value: ir.Value | None, arrays: Mapping[str, Array]) -> Array | None:
    """Return what ``value`` always holds; None where it depends on the inputs."""
    known = constant(value)
    return known if known is not None or value is None else arrays.get(str(value.name))


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
    answers = evaluator(onnx.helper.make_model(graph, opset_imports=opsets)).run(None, feeds)
    return {name: np.asarray(answer) for name, answer in zip(wanted, answers, strict=True)}
