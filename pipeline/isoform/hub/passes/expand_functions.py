"""Replace an operator that a target does not carry by its definition in simpler ones, where ONNX has such.

The standard defines many operators (Attention, RotaryEmbedding, the losses ...) as functions of others; some bodies
depend on attributes and on the types of the inputs. Only the node and the types go through a proto, never a weight.
"""

from collections.abc import Callable, Iterable

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
    for depth in range(_DEPTH):
        if not _expand_once(model, carries):
            return depth > 0
        common.InlinePass()(model)
        common.RemoveUnusedFunctionsPass()(model)
        common.RemoveUnusedOpsetsPass()(model)
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        graph.infer_shapes(model)
    return True


def _expand_once(model: ir.Model, carries: Carries) -> bool:
    is_changed = False
    for number, node in enumerate(list(model.graph.all_nodes())):
        opset = node.version or model.opset_imports.get("", 1)
        if node.domain != "" or carries(node.op_type, opset) or not leads_to_carried(node.op_type, opset, carries):
            continue
        if any(attribute.type == ir.AttributeType.GRAPH for attribute in node.attributes.values()):
            continue  # a body cannot be given a sub-graph: inlining has no form for it
        body = _definition(node, opset)
        if body is not None:
            _call(model, node, body, f"{node.op_type}_{number}")
            is_changed = True
    return is_changed


def leads_to_carried(op_type: str, opset: int, carries: Carries, depth: int = _DEPTH) -> bool:
    """Tell whether ``op_type`` is carried, or is a function of operators that lead there.

    Where a body depends on its context it is not known here: that operator counts as one that does.
    """
    if carries(op_type, opset):
        return True
    try:
        schema = onnx.defs.get_schema(op_type, opset, "")
    except _UNDECLARED:
        return False
    if schema.has_context_dependent_function:
        return True
    if not schema.has_function or depth == 0:
        return False
    nodes = _nodes(schema.function_body.node)
    return all(leads_to_carried(node.op_type, opset, carries, depth - 1) for node in nodes)


def _nodes(nodes: Iterable[onnx.NodeProto]) -> list[onnx.NodeProto]:
    return [node for node in nodes if node.domain == ""]


def _definition(node: ir.Node, opset: int) -> onnx.FunctionProto | None:
    """Return the function that defines ``node`` under ``opset``; None where there is none for these types."""
    schema = onnx.defs.get_schema(node.op_type, opset, "")
    body = onnx.FunctionProto()
    if schema.has_context_dependent_function:
        versions = [version for version in schema.context_dependent_function_opset_versions if version <= opset]
        if not versions or any(value is not None and value.type is None for value in node.inputs):
            return None
        types = [_type(value).SerializeToString() for value in node.inputs]
        encoded = ir.to_proto(node).SerializeToString()
        body.ParseFromString(schema.get_context_dependent_function_with_opset_version(max(versions), encoded, types))
        return body
    versions = [version for version in schema.function_opset_versions if version <= opset]
    if not versions:
        return None
    body.ParseFromString(schema.get_function_with_opset_version(max(versions)))
    return body


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
    """Leave as many outputs as the node has; one that the body does not compute, as nobody reads it, becomes a zero."""
    del body.output[wanted:]
    computed = {name for node in body.node for name in node.output}
    for name in body.output:
        if name not in computed:
            body.node.append(onnx.helper.make_node("Constant", [], [name], value_float=0.0))
