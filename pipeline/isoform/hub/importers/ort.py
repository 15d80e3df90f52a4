"""A file in ONNX Runtime's own format as the hub graph: the same operators, weights still views of the file.

What ONNX Runtime fused before it wrote the file stays fused: operators of its own domain are read as they are.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx_ir as ir

from isoform.errors import IsoformError
from isoform.intake import ort_file
from isoform.intake.flatbuffer import Table
from isoform.intake.ort_file import (
    ATTRIBUTE_GRAPH,
    ATTRIBUTE_GRAPHS,
    ATTRIBUTE_NAME,
    ATTRIBUTE_TENSOR,
    ATTRIBUTE_TYPE,
    GRAPH_INITIALIZERS,
    GRAPH_INPUTS,
    GRAPH_NODES,
    GRAPH_OUTPUTS,
    GRAPH_SPARSE,
    GRAPH_VALUES,
    MODEL_GRAPH,
    MODEL_IR_VERSION,
    MODEL_OPSETS,
    NODE_ATTRIBUTES,
    NODE_DOMAIN,
    NODE_INPUTS,
    NODE_NAME,
    NODE_OUTPUTS,
    NODE_TYPE,
    OPSET_DOMAIN,
    OPSET_VERSION,
    TENSOR_DIMS,
    TENSOR_NAME,
    TENSOR_STRINGS,
    TENSOR_TYPE,
)

_VALUE_TYPE = 2
_TYPE_KIND, _TYPE_VALUE = 1, 2
_KIND_TENSOR, _KIND_SEQUENCE = 1, 2
_TENSOR_ELEMENT, _TENSOR_SHAPE = 0, 1
_SEQUENCE_ELEMENT = 0
_SHAPE_DIMS, _DIM_VALUE = 0, 0
_SIZE_KIND, _SIZE_NUMBER, _SIZE_NAME = 0, 1, 2
_SIZE_IS_NUMBER, _SIZE_IS_NAME = 1, 2
_FLOAT, _INT, _STRING, _FLOATS, _INTS, _STRINGS, _TENSORS = 3, 4, 5, 8, 9, 10, 11
_Values = dict[str, ir.Value]


def load(path: Path) -> ir.Model:
    """Return the file at ``path`` as the hub graph.

    Raises:
        IsoformError: the file is damaged, or holds what is not read here.
    """
    whole = ort_file.model(path)
    try:
        return _model(whole, path)
    except (ValueError, KeyError, UnicodeDecodeError) as error:
        raise ort_file.damaged(path, error) from error


def _model(whole: Table, path: Path) -> ir.Model:
    table = whole.table(MODEL_GRAPH)
    if table is None or not table.texts(GRAPH_OUTPUTS):
        raise IsoformError(f"{path}: a graph without outputs.", "Export it again.", kind="damaged")
    opsets = {each.text(OPSET_DOMAIN): each.number(OPSET_VERSION, "<q", 0) for each in whole.tables(MODEL_OPSETS)}
    graph = _graph(table, {})
    used = {node.domain for node in graph.all_nodes()} | {""}
    graph.opset_imports.update({domain: opsets[domain] for domain in sorted(used)})
    return ir.Model(graph, ir_version=whole.number(MODEL_IR_VERSION, "<q", 0), producer_name="onnxruntime")


def _graph(table: Table, around: _Values) -> ir.Graph:
    """Return a graph with its inner ones; ``around`` are the values of those that it lies in."""
    if list(table.tables(GRAPH_SPARSE)):
        raise IsoformError("The graph holds sparse weights.", "Make them dense first.", kind="unsupported-tensor")
    own = {name: ir.Value(name=name) for name in _own_names(table)}
    for value in table.tables(GRAPH_VALUES):
        _declare(own.get(value.text(NODE_NAME)), value)
    values = around | own
    nodes = [_node(node, values) for node in table.tables(GRAPH_NODES)]
    graph = ir.Graph(
        [values[name] for name in table.texts(GRAPH_INPUTS)], [values[name] for name in table.texts(GRAPH_OUTPUTS)],
        nodes=nodes, initializers=[_initializer(tensor, values) for tensor in table.tables(GRAPH_INITIALIZERS)],
        name="graph",
    )  # fmt: skip
    graph.sort()  # nodes stand in the file in the order in which they were made
    return graph


def _own_names(table: Table) -> dict[str, None]:
    """Return the names of what a graph itself gives, each once."""
    made = [name for node in table.tables(GRAPH_NODES) for name in node.texts(NODE_OUTPUTS) if name]
    held = [tensor.text(TENSOR_NAME) for tensor in table.tables(GRAPH_INITIALIZERS)]
    return dict.fromkeys([*table.texts(GRAPH_INPUTS), *held, *made])


def _initializer(tensor: Table, values: _Values) -> ir.Value:
    value = values[tensor.text(TENSOR_NAME)]
    value.const_value = _tensor(tensor)
    value.dtype, value.shape = value.const_value.dtype, ir.Shape(value.const_value.shape)
    return value


def _node(table: Table, values: _Values) -> ir.Node:
    outputs = [values[name] if name else ir.Value(name="") for name in table.texts(NODE_OUTPUTS)]
    return ir.Node(
        table.text(NODE_DOMAIN), table.text(NODE_TYPE),
        [values[name] if name else None for name in table.texts(NODE_INPUTS)],
        [_attribute(each, values) for each in table.tables(NODE_ATTRIBUTES)],
        outputs=outputs, name=table.text(NODE_NAME),
    )  # fmt: skip


def _attribute(table: Table, values: _Values) -> ir.Attr:
    kind = ir.AttributeType(_ATTRIBUTE_TYPES[table.number(ATTRIBUTE_TYPE, "<i", 0)])
    return ir.Attr(table.text(ATTRIBUTE_NAME), kind, _READERS[kind](table, values))


_ATTRIBUTE_TYPES = dict(enumerate(ir.AttributeType[name] for name in (
    "UNDEFINED", "FLOAT", "INT", "STRING", "TENSOR", "GRAPH", "FLOATS", "INTS", "STRINGS", "TENSORS", "GRAPHS",
)))  # fmt: skip
"""By the number that ort.fbs has for a type of attributes, which is another than onnx.proto's."""


def _inner(table: Table | None, values: _Values) -> ir.Graph:
    if table is None:
        raise ValueError("an attribute without its graph")
    return _graph(table, values)


def _held(table: Table | None) -> ir.TensorProtocol:
    if table is None:
        raise ValueError("an attribute without its tensor")
    return _tensor(table)


_READERS: dict[ir.AttributeType, Callable[[Table, _Values], Any]] = {
    ir.AttributeType.FLOAT: lambda table, _: table.number(_FLOAT, "<f", 0.0),
    ir.AttributeType.INT: lambda table, _: table.number(_INT, "<q", 0),
    ir.AttributeType.STRING: lambda table, _: table.text(_STRING),
    ir.AttributeType.TENSOR: lambda table, _: _held(table.table(ATTRIBUTE_TENSOR)),
    ir.AttributeType.GRAPH: lambda table, values: _inner(table.table(ATTRIBUTE_GRAPH), values),
    ir.AttributeType.FLOATS: lambda table, _: table.numbers(_FLOATS, "<f4").tolist(),
    ir.AttributeType.INTS: lambda table, _: table.numbers(_INTS, "<i8").tolist(),
    ir.AttributeType.STRINGS: lambda table, _: table.texts(_STRINGS),
    ir.AttributeType.TENSORS: lambda table, _: [_tensor(each) for each in table.tables(_TENSORS)],
    ir.AttributeType.GRAPHS: lambda table, values: [_graph(each, values) for each in table.tables(ATTRIBUTE_GRAPHS)],
}


def _tensor(table: Table) -> ir.TensorProtocol:
    name, dtype = table.text(TENSOR_NAME), ir.DataType(table.number(TENSOR_TYPE, "<i", 0))
    if dtype == ir.DataType.STRING:
        texts = [text.encode() for text in table.texts(TENSOR_STRINGS)]
        return ir.StringTensor(texts, shape=ir.Shape(table.numbers(TENSOR_DIMS, "<i8").tolist()), name=name)
    if dtype.bitwidth < 8:
        raise IsoformError(
            f"'{name}' is packed {dtype.name}.", "Widen it before it is written.", kind="unsupported-tensor"
        )
    return ir.Tensor(ort_file.array(table, dtype.numpy()), dtype=dtype, name=name)


def _declare(value: ir.Value | None, table: Table) -> None:
    """Give a value the type and the shape that the file has of it."""
    declared = table.table(_VALUE_TYPE)
    if value is None or declared is None:
        return
    kind, inner = _type(declared)
    value.type = kind
    sizes = inner.table(_TENSOR_SHAPE) if isinstance(kind, ir.TensorType) else None
    if sizes is not None:
        value.shape = ir.Shape([_size(each.table(_DIM_VALUE)) for each in sizes.tables(_SHAPE_DIMS)])


def _type(table: Table) -> tuple[ir.TypeProtocol, Table]:
    kind, inner = table.number(_TYPE_KIND, "<B", 0), table.table(_TYPE_VALUE)
    if inner is not None and kind == _KIND_TENSOR:
        return ir.TensorType(ir.DataType(inner.number(_TENSOR_ELEMENT, "<i", 0))), inner
    element = inner.table(_SEQUENCE_ELEMENT) if inner is not None and kind == _KIND_SEQUENCE else None
    if element is None:
        raise IsoformError("A value is neither a tensor nor a sequence.", "Report this.", kind="unsupported-tensor")
    found, last = _type(element)
    return ir.SequenceType(found), last


def _size(table: Table | None) -> int | str | None:
    kind = 0 if table is None else table.number(_SIZE_KIND, "<b", 0)
    if table is None or kind not in (_SIZE_IS_NUMBER, _SIZE_IS_NAME):
        return None
    return table.number(_SIZE_NUMBER, "<q", 0) if kind == _SIZE_IS_NUMBER else table.text(_SIZE_NAME) or None
