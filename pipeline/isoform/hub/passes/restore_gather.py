"""Give back a gather whose negative indices TensorFlow has counted from the end by itself, as ONNX does."""

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.producers import both_orders, producer


def restore_gather(model: ir.Model) -> None:
    """Read ``Gather(w, i < 0 ? i + n : i)``, n rows in w, as ``Gather(w, i)``: ONNX itself counts from the end."""
    for node in model.graph.all_nodes():
        if node.op_type != "Gather" or node.inputs[0] is None or node.inputs[0].shape is None:
            continue
        axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 0
        indices = _wrapped_index(node.inputs[1], node.inputs[0].shape[axis])
        if indices is not None:
            node.replace_input_with(1, indices)


def _wrapped_index(value: ir.Value | None, count: int | ir.SymbolicDim) -> ir.Value | None:
    """Return i of ``(i < 0) * (i + count) + i * not (i < 0)``, the form in which tf2onnx writes the choice."""
    for negative, positive in both_orders(producer(value, "Add"), "Add"):
        for flag, shifted in both_orders(producer(negative, "Mul"), "Mul"):
            for indices, other_flag in both_orders(producer(positive, "Mul"), "Mul"):
                below = producer(_through(flag, "Cast"), "Less")
                not_below = producer(_through(other_flag, "Cast"), "Not")
                if below is None or not_below is None or not_below.inputs[0] is not below.outputs[0]:
                    continue
                zero = constant(below.inputs[1])
                is_below_zero = _through(below.inputs[0], "Cast") is indices and zero is not None and not zero.any()
                if is_below_zero and _adds(shifted, indices, count):
                    return indices
    return None


def _adds(value: ir.Value | None, base: ir.Value | None, count: int | ir.SymbolicDim) -> bool:
    return any(
        first is base and (number := constant(second)) is not None and number.size == 1 and number.item() == count
        for first, second in both_orders(producer(value, "Add"), "Add")
    )


def _through(value: ir.Value | None, op_type: str) -> ir.Value | None:
    """Return what goes into the ``op_type`` that makes ``value``, or ``value`` itself."""
    node = producer(value, op_type)
    return value if node is None else node.inputs[0]
