"""Leave out a Reshape that another one follows, and one to the shape that there is already."""

from collections.abc import Sequence

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant


def drop_reshapes(model: ir.Model) -> None:
    """Let each Reshape read what stands before others, and drop those that change nothing, in place."""
    for node in list(model.graph):
        if node.op_type != "Reshape" or node.domain != "" or len(node.inputs) < 2:
            continue
        value, target = node.inputs[0], constant(node.inputs[1])
        if value is None or target is None or 0 in target:  # 0 stands for a size of the very input
            continue
        before = value.producer()
        while before is not None and before.op_type == "Reshape" and before.domain == "":
            node.replace_input_with(0, before.inputs[0])
            before = before.inputs[0].producer() if before.inputs[0] is not None else None
        value, result = node.inputs[0], node.outputs[0]
        if value is not None and _is_already(value, target.tolist()) and not result.is_graph_output():
            ir.convenience.replace_all_uses_with(result, value)


def _is_already(value: ir.Value, target: Sequence[int]) -> bool:
    """Return whether all sizes but the one that is left over are as wanted: then that one is, too."""
    if value.shape is None or len(value.shape) != len(target):
        return False
    return all(size in (-1, dim) for size, dim in zip(target, value.shape, strict=True))
