"""ONNX' own shape inference over a hub graph and the bodies in it; no large weight travels through a proto for it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import onnx
import onnx_ir as ir

from isoform.errors import IsoformError

_LARGEST_BYTES = 1000
"""Beyond this an initialiser is no list of sizes or axes: its dtype and shape are all that inference asks for."""
_MADE_UP = "unk__"
"""How the names begin that ONNX' inference gives to sizes."""
_IR_VERSION = 8
"""Since version 4 an initialiser need not be an input as well."""


def infer_shapes(model: ir.Model) -> None:
    """Fill in the type and shape of every value that can be known, symbolic dimensions kept, in place.

    Raises:
        IsoformError: ONNX' inference breaks off, as where an opset is missing.
    """
    _forget_made_up_names(model)
    with _without_weights(model):
        proto = ir.to_proto(model)
    proto.ir_version = max(proto.ir_version, _IR_VERSION)
    try:
        # Not strict: what one operator does not tell must not cost the shapes of all others.
        inferred = onnx.shape_inference.infer_shapes(proto, check_type=False, strict_mode=False, data_prop=True)
    except Exception as error:  # the C++ side raises many types, RuntimeError and ValueError among them
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise IsoformError(
            f"Shape inference breaks off: {reason}", "Check the graph with onnx.checker.", kind="invalid-graph"
        ) from error
    _take_over(model.graph, inferred.graph)


def at_sizes(model: ir.Model, shapes: Mapping[str, tuple[int, ...]]) -> ir.Model:
    """Return a copy whose inputs have these shapes, by name, and every other value those that follow.

    Raises:
        IsoformError: ONNX' inference breaks off.
    """
    sized = model.clone()
    for value in sized.graph.inputs:
        if value.name in shapes:
            value.shape = ir.Shape(shapes[value.name])
    forget_shapes(sized)
    infer_shapes(sized)
    return sized


def forget_shapes(model: ir.Model) -> None:
    """Drop what the exporter noted of shapes inside the graph: it may be what was traced, not what always holds.

    What a body declares of its inputs and outputs keeps its rank and its numbers; a name there may mean another round.
    """
    for graph in model.graphs():
        for value in () if graph is model.graph else (*graph.inputs, *graph.outputs):
            if value.shape is not None:
                value.shape = ir.Shape([dim if isinstance(dim, int) else None for dim in value.shape])
    for node in model.graph.all_nodes():
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape = None


def _forget_made_up_names(model: ir.Model) -> None:
    """Ask anew for the sizes that an earlier inference only gave a name: more may be known by now."""
    for node in model.graph.all_nodes():
        for value in node.outputs:
            if value.shape is not None and any(map(_is_made_up, value.shape)):
                value.shape = ir.Shape([None if _is_made_up(dim) else dim for dim in value.shape])


def _is_made_up(dim: int | ir.SymbolicDim) -> bool:
    return isinstance(dim, ir.SymbolicDim) and dim.value is not None and dim.value.startswith(_MADE_UP)


@contextmanager
def _without_weights(model: ir.Model) -> Iterator[None]:
    """Stand in for each large initialiser by one of the same dtype and shape that lies elsewhere."""
    hidden: list[tuple[ir.Value, ir.TensorProtocol]] = []
    for graph in model.graphs():
        for value in graph.initializers.values():
            tensor = value.const_value
            if tensor is None or tensor.dtype == ir.DataType.STRING or tensor.nbytes <= _LARGEST_BYTES:
                continue
            shape = tensor.shape if isinstance(tensor.shape, ir.Shape) else ir.Shape(tensor.shape)
            hidden.append((value, tensor))
            value.const_value = ir.ExternalTensor(
                "unread", 0, tensor.nbytes, tensor.dtype, shape=shape, name=str(value.name)
            )
    try:
        yield
    finally:
        for value, tensor in hidden:
            value.const_value = tensor


def _take_over(graph: ir.Graph, inferred: onnx.GraphProto) -> None:
    """Note on the values of ``graph`` and of its bodies what was inferred of those of the same name."""
    types = {info.name: info.type for info in (*inferred.input, *inferred.value_info, *inferred.output)}
    for value in _values(graph):
        if value.name in types:
            _describe(value, types[value.name])
    for node, described in zip(graph, inferred.node, strict=True):
        bodies = {attribute.name: attribute for attribute in described.attribute}
        for name, attribute in node.attributes.items():
            if attribute.type == ir.AttributeType.GRAPH:
                _take_over(attribute.as_graph(), bodies[name].g)
            elif attribute.type == ir.AttributeType.GRAPHS:
                for body, proto in zip(attribute.as_graphs(), bodies[name].graphs, strict=True):
                    _take_over(body, proto)


def _values(graph: ir.Graph) -> Iterator[ir.Value]:
    yield from graph.inputs
    for node in graph:
        yield from node.outputs


def _describe(value: ir.Value, inferred: onnx.TypeProto) -> None:
    kind = ir.serde.deserialize_type_proto_for_type(inferred)
    if kind is not None and kind.dtype != ir.DataType.UNDEFINED:
        value.type = kind
    shape = ir.serde.deserialize_type_proto_for_shape(inferred)
    if shape is not None and shape != value.shape:
        value.shape = shape
