"""Give a Resize by computed sizes those that are known, where the others are sizes that its input has already.

Exporters join the sizes of an image with that of the batch, which is known only when the model runs. What is left is a
Resize of named axes, for which runtimes have kernels; one that changes no size is left out.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.symbolic.analysis import Analysis

_SIZES = 3
_OPSET = 18
"""The first one in which a Resize may name its axes."""


def known_resizes(model: ir.Model) -> None:
    """Rewrite such nodes in place; shapes have to be inferred before."""
    nodes = [node for node in model.graph if node.op_type == "Resize" and node.domain == "" and _is_computed(node)]
    if not nodes or model.opset_imports.get("", 1) < _OPSET:
        return
    analysis = Analysis(model)
    for node in nodes:
        before, wanted = analysis.shape(node.inputs[0]), analysis.content(node.inputs[_SIZES])
        if before is None or wanted is None or len(before) != len(wanted.entries):
            continue
        pairs = list(zip(before, wanted.entries, strict=True))
        changed = {axis: size for axis, (old, size) in enumerate(pairs) if size is None or size != old}
        numbers = {axis: None if size is None else size.number for axis, size in changed.items()}
        if not numbers and not node.outputs[0].is_graph_output():
            ir.convenience.replace_all_uses_with(node.outputs[0], node.inputs[0])
        elif numbers and None not in numbers.values():
            name = f"{node.outputs[0].name}/sizes"
            node.replace_input_with(_SIZES, initializer(model.graph, name, np.array([*numbers.values()], np.int64)))
            node.attributes["axes"] = ir.AttrInt64s("axes", [*numbers])


def _is_computed(node: ir.Node) -> bool:
    """Return whether all of a tensor is stretched to sizes that the graph computes."""
    policy = node.attributes.get("keep_aspect_ratio_policy")
    mode = node.attributes.get("coordinate_transformation_mode")
    if "axes" in node.attributes or (mode is not None and mode.as_string() == "tf_crop_and_resize"):
        return False
    has_sizes = len(node.inputs) > _SIZES and node.inputs[_SIZES] is not None
    is_stretched = policy is None or policy.as_string() == "stretch"
    return has_sizes and is_stretched and constant(node.inputs[_SIZES]) is None
