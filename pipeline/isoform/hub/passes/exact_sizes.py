"""Let a Resize say the sizes that it makes where its scales, rounded to float32, miss them: 24 times 0.8333333 is 19.

An exporter that knows only scales writes the quotient of two sizes. Runtimes disagree on what it gives back.
"""

import math

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer

_SINCE = 18
"""The opset from which a Resize may name some axes alone."""
_NEAR = 1e-4


def exact_sizes(model: ir.Model) -> None:
    """Replace in place the scales of each such Resize by sizes; shapes have to be inferred before, and anew behind."""
    if model.opset_imports.get("", 1) < _SINCE:
        return
    for node in model.graph:
        sizes = _missed(node) if node.op_type == "Resize" and node.domain == "" else None
        if sizes is not None:
            _put(model.graph, node, sizes)


def _missed(node: ir.Node) -> dict[int, int] | None:
    """Return the sizes by axis that the scales stand for; None where they give them, or are not known."""
    x, scales = node.inputs[0], constant(node.inputs[2]) if len(node.inputs) == 3 else None
    if x is None or x.shape is None or scales is None or "axes" in node.attributes:
        return None
    resized = {axis: scale for axis, scale in enumerate(scales.astype(np.float64)) if scale != 1}
    known = {axis: int(x.shape[axis]) for axis in resized if isinstance(x.shape[axis], int)}
    sizes = {axis: round(size * resized[axis]) for axis, size in known.items()}
    is_quotient = all(abs(known[axis] * resized[axis] - size) < _NEAR for axis, size in sizes.items())
    is_given = all(math.floor(known[axis] * resized[axis]) == size for axis, size in sizes.items())
    return sizes if len(known) == len(resized) and is_quotient and not is_given else None


def _put(graph: ir.Graph, node: ir.Node, sizes: dict[int, int]) -> None:
    value = initializer(graph, f"{node.name}/sizes", np.array(list(sizes.values()), np.int64))
    attributes = [*node.attributes.values(), ir.AttrInt64s("axes", list(sizes))]
    inputs = [node.inputs[0], node.inputs[1], None, value]
    new = ir.Node("", "Resize", inputs, attributes, num_outputs=1, name=node.name)
    ir.convenience.replace_nodes_and_values(graph, node, [node], [new], node.outputs, new.outputs)
