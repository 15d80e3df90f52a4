"""Give attention zeros, as PyTorch does, where a mask of booleans hides every key from a query.

PyTorch's exporter adds the lowest number where it should add minus infinity, so that a row without a visible key comes
out as the mean of all values: ``softmax(s + where(mask, 0, lowest)) @ v``. The product is multiplied by 1 where the
mask shows anything and by 0 elsewhere, once a mask, which runtimes compute faster than a guard against NaN. A mask that
depends on sizes alone, a causal one, is left as it is.
"""

import numpy as np
import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.producers import both_orders, producer

_OF_SHAPES = {"Shape", "Size"}


def restore_hidden_rows(model: ir.Model) -> None:
    """Multiply what such softmaxes weigh by whether their rows are visible, in place."""
    graph, visible = model.graph, {}
    dependent = _dependent(graph)
    for node in list(graph):
        added = _mask_below(node)
        if added is None or added.inputs[0] not in dependent:
            continue
        if added not in visible:
            visible[added] = _visible_rows(graph, added)
        for reader, place in list(node.outputs[0].uses()):
            _multiply(graph, reader, place, visible[added])


def _dependent(graph: ir.Graph) -> set[ir.Value]:
    """Return the values that depend on an input's elements, not on its sizes alone."""
    found = set(graph.inputs)
    for node in graph:
        if node.op_type not in _OF_SHAPES and any(value in found for value in node.inputs):
            found.update(node.outputs)
    return found


def _mask_below(node: ir.Node) -> ir.Node | None:
    """Return the ``where(mask, 0, lowest)`` below the exporter's guard of an attention: NaN to zeros."""
    if node.op_type != "Where" or node.domain != "" or not _is_zero(node.inputs[1]):
        return None
    softmax = producer(node.inputs[2], "Softmax")
    test = producer(node.inputs[0], "IsNaN")
    if softmax is None or test is None or test.inputs[0] is not node.inputs[2]:
        return None
    for one, _ in both_orders(producer(softmax.inputs[0], "Add"), "Add"):
        mask = producer(one, "Where")
        if mask is not None and _is_zero(mask.inputs[1]) and _is_lowest(mask.inputs[2]):
            return mask
    return None


def _is_zero(value: ir.Value | None) -> bool:
    array = constant(value)
    return array is not None and array.size == 1 and not array.any()


def _is_lowest(value: ir.Value | None) -> bool:
    array = constant(value)
    if array is None or array.size != 1 or value is None or value.dtype is None or not value.dtype.is_floating_point():
        return False
    return bool(array.reshape(-1)[0] == value.dtype.min)


def _visible_rows(graph: ir.Graph, added: ir.Node) -> ir.Value:
    """Return 1 for each row of a mask that shows anything, 0 for the others; the last axis is 1 long."""
    mask, zero = added.inputs[0], constant(added.inputs[1])
    assert mask is not None
    assert zero is not None
    shown = ir.node("Where", [mask, _number(graph, "one", np.ones((), zero.dtype)), added.inputs[1]])
    most = ir.node("ReduceMax", [shown.outputs[0], _number(graph, "last_axis", np.array([-1]))], {"keepdims": 1})
    for node in (shown, most):
        node.outputs[0].type = added.outputs[0].type
        node.outputs[0].name = f"{added.outputs[0].name}/{'shown' if node is shown else 'visible'}"
    graph.insert_after(added, [shown, most])
    return most.outputs[0]


def _number(graph: ir.Graph, name: str, array: Array) -> ir.Value:
    return initializer(graph, f"hidden_rows/{name}", array)


def _multiply(graph: ir.Graph, reader: ir.Node, place: int, visible: ir.Value) -> None:
    """Multiply by ``visible`` what ``reader`` makes of the weights, where it is a product, or else what it reads."""
    is_product = reader.op_type == "MatMul" and reader.domain == "" and place == 0
    value = reader.outputs[0] if is_product else reader.inputs[place]
    assert value is not None
    product = ir.node("Mul", [value, visible])
    result = product.outputs[0]
    result.type, result.shape, result.name = value.type, value.shape, value.name
    value.name = f"{value.name}/of_all_rows"
    if is_product:
        ir.convenience.replace_all_uses_with(value, result, replace_graph_outputs=True)
        product.replace_input_with(0, value)
        graph.insert_after(reader, product)
    else:
        reader.replace_input_with(place, result)
        graph.insert_before(reader, product)
