"""Leave out what gives its operand bit for bit: a product with 1, a sum with an integer 0, a Cast to the same dtype.

Exporters write such scales and offsets wherever the model's code has one that happens to be neutral. A floating-point
zero is added still, as it turns -0 into 0. What joins or scatters no element at all goes, too: slices that meet the end
of an axis leave such tensors, and some kernels refuse them.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import Array, alters_parameter, constant

_COMMUTING = {"Mul": 1, "Add": 0, "And": True, "Or": False}
_SCATTERING = ("ScatterElements", "ScatterND")
_SECOND_ONLY = {"Div": 1, "Sub": 0}


def drop_neutral(model: ir.Model) -> None:
    """Let what reads such a node read its operand, in place; shapes have to be inferred before."""
    for node in list(model.graph.all_nodes()):
        if node.domain not in ("", "ai.onnx") or node.graph is None or node.outputs[0].is_graph_output():
            continue
        if node.op_type == "Concat":
            _leave_out_empty(node)
        operand = None if alters_parameter(node) else _operand(node)
        if operand is not None:
            ir.convenience.replace_all_uses_with(node.outputs[0], operand)
            node.graph.remove(node, safe=True)


def _operand(node: ir.Node) -> ir.Value | None:
    """Return the input that the node gives again; None where it computes something."""
    if node.op_type == "Cast":
        source = node.inputs[0]
        is_same = source is not None and source.dtype is not None and source.dtype == node.outputs[0].dtype
        return source if is_same else None
    if node.op_type == "Concat" and len(node.inputs) == 1:
        return node.inputs[0]
    if node.op_type in _SCATTERING:
        return node.inputs[0] if _is_empty(node.inputs[2]) else None
    wanted = _COMMUTING.get(node.op_type, _SECOND_ONLY.get(node.op_type))
    if wanted is None:
        return None
    first, second = node.inputs
    pairs = [(first, second)] if node.op_type in _SECOND_ONLY else [(first, second), (second, first)]
    for operand, other in pairs:
        array = constant(other)
        if operand is not None and array is not None and _is_neutral(array, wanted) and _is_within(array, operand):
            return operand
    return None


def _leave_out_empty(node: ir.Node) -> None:
    """Let a Concat read those inputs alone that have elements, in place; one where none has."""
    kept = [value for value in node.inputs if not _is_empty(value)] or [node.inputs[0]]
    if len(kept) < len(node.inputs):
        node.resize_inputs(len(kept))
        for place, value in enumerate(kept):
            node.replace_input_with(place, value)


def _is_empty(value: ir.Value | None) -> bool:
    return value is not None and value.shape is not None and 0 in list(value.shape)


def _is_neutral(array: Array, wanted: int) -> bool:
    is_sum_of_floats = wanted == 0 and not np.issubdtype(array.dtype, np.integer) and array.dtype != np.bool_
    return array.size == 1 and not is_sum_of_floats and bool(array.reshape(-1)[0] == wanted)


def _is_within(array: Array, operand: ir.Value) -> bool:
    """Return whether broadcasting with ``array`` leaves the operand's rank as it is."""
    return array.ndim == 0 or (operand.shape is not None and array.ndim <= len(operand.shape))
