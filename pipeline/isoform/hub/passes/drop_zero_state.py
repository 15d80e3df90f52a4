"""Leave out initial states of recurrent operators that are zeros by construction: absent means the same."""

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant

_STATES = {"LSTM": (5, 6), "GRU": (5,), "RNN": (5,)}
_MOVING = {
    "Expand", "Identity", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Cast", "Concat", "Gather",
}  # fmt: skip


def drop_zero_state(model: ir.Model) -> None:
    """Remove initial states that are zero for every input, in place."""
    for node in model.graph.all_nodes():
        for index in _STATES.get(node.op_type, ()):
            if index < len(node.inputs) and _is_zero(node.inputs[index]):
                node.replace_input_with(index, None)


def _is_zero(value: ir.Value | None) -> bool:
    if value is None:
        return False
    known = constant(value)
    if known is not None:
        return not known.any()
    node = value.producer()
    if node is None:
        return False
    if node.op_type == "ConstantOfShape":
        filled = node.attributes.get("value")
        return filled is None or not filled.as_tensor().numpy().any()
    data = node.inputs if node.op_type == "Concat" else node.inputs[:1]
    return node.op_type in _MOVING and all(map(_is_zero, data))
