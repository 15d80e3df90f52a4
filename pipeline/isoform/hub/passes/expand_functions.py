"""Replace an operator that a target does not carry by its definition in simpler ones, where ONNX has such.

The standard defines many operators (Attention, RotaryEmbedding, the losses ...) as functions of others; some bodies
depend on attributes and on the types of the inputs. Only the node and the types go through a proto, never a weight.
"""

from collections.abc import Callable, Hashable

import onnx
import onnx_ir as ir
from onnx_ir.passes import common

from isoform.hub import graph

Carries = Callable[[str, int], bool]
"""Tells whether a target carries a standard operator under an opset."""
_DEPTH = 6
_DOMAIN = "isoform.expanded"
_UNDECLARED = onnx.defs.SchemaError


def expand_functions(model: ir.Model, carries: Carries) -> bool:
    """Expand in place what is not carried, and tell whether anything changed; shapes have to be inferred before.

    A node stays as it is where its definition would not lead to carried operators either.
    """
    judged: dict[Hashable, bool] = {}
    return _expand(model, carries, lambda node, opset: leads_to_carried(node, opset, carries, judged))


def _expand(model: ir.Model, carries: Carries, is_wanted: Callable[[ir.Node, int], bool]) -> bool:
    for depth in range(_DEPTH):
        if not _expand_once(model, carries, is_wanted):
            return depth > 0
        common.InlinePass()(model)
        common.RemoveUnusedFunctionsPass()(model)
        common.RemoveUnusedOpsetsPass()(model)
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        graph.infer_shapes(model)
    return True


def _expand_once(model: ir.Model, carries: Carries, is_wanted: Callable[[ir.Node, int], bool]) -> bool:
    is_changed = False
    for number, node in enumerate(list(model.graph.all_nodes())):
        opset = node.version or model.opset_imports.get("", 1)
        if node.domain != "" or carries(node.op_type, opset):
            continue
        if any(attribute.type == ir.AttributeType.GRAPH for attribute in node.attributes.values()):
            continue  # a body cannot be given a sub-graph: inlining has no form for it
        body = _definition(node, opset)
        if body is not None and is_wanted(node, opset):
            _call(model, node, body, f"{node.op_type}_{number}")
            is_changed = True
    return is_changed


def leads_to_carried(node: ir.Node, opset: int, carries: Carries, judged: dict[Hashable, bool]) -> bool:
    """Tell whether expanding ``node``, and what its definition is made of, ends in carried operators alone.

    The definition may depend on attributes and types, so the node is expanded alone, in a graph of its own.

    Args:
        judged: what has been found of nodes like this one; added to.
    """
    types = tuple(_type(value).SerializeToString() for value in node.inputs)
    attributes = tuple(sorted((name, str(value.value)) for name, value in node.attributes.items()))
    key = (node.op_type, opset, types, attributes, tuple(map(_is_read, node.outputs)))
    if key not in judged:
        alone = _alone(node, opset)
        _expand(alone, carries, lambda inner, version: True)
        judged[key] = all(
            each.domain == "" and carries(each.op_type, each.version or opset) for each in alone.graph.all_nodes()
        )
    return judged[key]


def _alone(node: ir.Node, opset: int) -> ir.Model:
    """Return a graph of a copy of ``node`` between inputs of the same types."""
    given = {value: ir.Value(name=f"given_{place}", type=value.type, shape=value.shape)
             for place, value in enumerate(node.inputs) if value is not None}  # fmt: skip
    inputs = [None if value is None else given[value] for value in node.inputs]
    count = len(node.outputs)
    copy = ir.Node(
        "", node.op_type, inputs, node.attributes.values(), num_outputs=count, version=node.version, name="alone"
    )
    for place, (value, made) in enumerate(zip(node.outputs, copy.outputs, strict=True)):
        made.name, made.type = f"made_{place}", value.type
    read = [made for value, made in zip(node.outputs, copy.outputs, strict=True) if _is_read(value)]
    network = ir.Graph(list(given.values()), read, nodes=[copy], opset_imports={"": opset}, name="alone")
    return ir.Model(network, ir_version=10)


def _is_read(value: ir.Value) -> bool:
    return value.is_graph_output() or bool(value.uses())


def _definition(node: ir.Node, opset: int) -> onnx.FunctionProto | None:
    """Return the function that defines ``node`` under ``opset``; None where there is none for these types."""
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
    except _UNDECLARED:
        return None
    if not schema.has_function and not schema.has_context_dependent_function:
        return None
    body = onnx.FunctionProto()
    if schema.has_context_dependent_function:
        versions = [version for version in schema.context_dependent_function_opset_versions if version <= opset]
        if not versions or any(value is not None and value.type is None for value in node.inputs):
            return None
        types = [_type(value).SerializeToString() for value in node.inputs]
        encoded = ir.to_proto(node).SerializeToString()
        body.ParseFromString(schema.get_context_dependent_function_with_opset_version(max(versions), encoded, types))
        return body if _computes(body, node) else None
    versions = [version for version in schema.function_opset_versions if version <= opset]
    if not versions:
        return None
    body.ParseFromString(schema.get_function_with_opset_version(max(versions)))
    return body if _computes(body, node) else None


def _computes(body: onnx.FunctionProto, node: ir.Node) -> bool:
    """Return whether ``body`` gives every output of ``node`` that is read."""
    computed = {name for each in body.node for name in each.output} | set(body.input)
    given = [name in computed for name in body.output] + [False] * (len(node.outputs) - len(body.output))
    return all(is_given or not _is_read(value) for is_given, value in zip(given, node.outputs, strict=False))


def _type(value: ir.Value | None) -> onnx.TypeProto:
    return onnx.TypeProto() if value is None else ir.to_proto(value).type


def _call(model: ir.Model, node: ir.Node, body: onnx.FunctionProto, name: str) -> None:
    """Turn ``node`` into a call of its definition, its absent attributes given the schema's defaults."""
    opset = model.opset_imports.get("", 1)
    body.domain, body.name = _DOMAIN, name
    for imported in body.opset_import:
        if imported.domain == "":
            imported.version = max(imported.version, opset)
    if not body.opset_import:
        body.opset_import.append(onnx.helper.make_opsetid("", opset))
    _complete_outputs(body, len(node.outputs))
    for index, value in enumerate(node.outputs):
        value.name = value.name or f"{name}/unread_{index}"
    schema = onnx.defs.get_schema(node.op_type, node.version or opset, "")
    for key, attribute in schema.attributes.items():
        if key not in node.attributes and attribute.default_value.name:
            node.attributes[key] = ir.from_proto(attribute.default_value)
    function = ir.from_proto(body)
    model.functions[function.identifier()] = function
    model.opset_imports[_DOMAIN] = 1
    node.domain, node.op_type, node.overload = _DOMAIN, name, ""
    node.version = None


def _complete_outputs(body: onnx.FunctionProto, wanted: int) -> None:
    """Leave as many outputs as the node has; one that the body does not compute becomes a zero: nobody reads it."""
    del body.output[wanted:]
    computed = {name for node in body.node for name in node.output} | set(body.input)
    for name in body.output:
        if name not in computed:
            body.node.append(onnx.helper.make_node("Constant", [], [name], value_float=0.0))
