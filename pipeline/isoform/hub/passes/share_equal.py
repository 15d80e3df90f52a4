"""Compute once what a graph computes twice: the same operator on the same values, or on equal small constants.

A body shares what stands around it. Not aware of operators that hold bodies, nor of those that draw random numbers.
"""

from collections.abc import Hashable
from typing import Any

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant

_SMALL_BYTES = 128
_RANDOM = {
    "Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
}  # fmt: skip
_Seen = dict[Hashable, ir.Node]


def share_equal(model: ir.Model) -> None:
    """Let what reads the later of two such nodes read the earlier one, in place."""
    _share(model.graph, {})


def _share(graph: ir.Graph, around: _Seen) -> None:
    seen = dict(around)
    for node in list(graph):
        bodies = [body for attribute in node.attributes.values() for body in _bodies(attribute)]
        for body in bodies:
            _share(body, seen)
        if bodies or (node.domain == "" and node.op_type in _RANDOM):
            continue
        first = seen.setdefault(_key(node), node)
        # An output keeps its own node: its name, and for a body that it is computed inside, depend on it.
        if first is not node and not any(map(_is_result, node.outputs)):
            for value, kept in zip(node.outputs, first.outputs, strict=True):
                ir.convenience.replace_all_uses_with(value, kept)
            graph.remove(node, safe=True)


def _is_result(value: ir.Value) -> bool:
    return value.is_graph_output()


def _bodies(attribute: ir.Attr) -> list[ir.Graph]:
    if attribute.type == ir.AttributeType.GRAPH:
        return [attribute.as_graph()]
    return list(attribute.as_graphs()) if attribute.type == ir.AttributeType.GRAPHS else []


def _key(node: ir.Node) -> Hashable:
    attributes = tuple(sorted((name, _content(attribute)) for name, attribute in node.attributes.items()))
    read = tuple(_identity(value) for value in node.inputs)
    wanted = tuple(bool(value.name) for value in node.outputs)
    return (node.op_identifier(), node.version, read, attributes, wanted)


def _identity(value: ir.Value | None) -> Hashable:
    """Return what makes a value the same: its content where it is a small constant, else itself."""
    tensor = value.const_value if value is not None and value.is_initializer() else None
    if tensor is None or tensor.nbytes > _SMALL_BYTES or tensor.dtype == ir.DataType.STRING:
        return id(value)
    array = constant(value)
    return id(value) if array is None else (array.shape, str(tensor.dtype), array.tobytes())


def _content(attribute: ir.Attr) -> str:
    """Return the value in full; a tensor that is not small is like no other."""
    value: Any = attribute.value
    if attribute.type in (ir.AttributeType.TENSOR, ir.AttributeType.SPARSE_TENSOR, ir.AttributeType.TENSORS):
        is_small = attribute.type == ir.AttributeType.TENSOR and value.nbytes <= _SMALL_BYTES
        is_small = is_small and value.dtype != ir.DataType.STRING
        return f"{value.dtype}{value.shape}{value.numpy().tobytes()!r}" if is_small else str(id(attribute))
    return f"{attribute.type}{value!r}"
