"""Give back a reshape to sizes of which one is left over, which TensorFlow computes from the shape.

The size that is left over is the only one that fits, so this is exact.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.producers import producer


def restore_flatten(model: ir.Model) -> None:
    """Replace a computed reshape target with one unknown size by a constant one with -1 there.

    The size that is left over is the only one that fits, so this is exact.
    """
    for node in list(model.graph):
        if node.op_type != "Reshape":
            continue
        target = _flatten_target(node.inputs[1])
        if target is not None:
            name = f"{node.outputs[0].name}/shape"
            node.replace_input_with(1, initializer(model.graph, name, np.array(target, np.int64)))


def _flatten_target(value: ir.Value | None) -> list[int] | None:
    cast = producer(value, "Cast")
    concat = producer(cast.inputs[0] if cast else value, "Concat")
    if concat is None:
        return None
    sizes: list[int] = []
    for part in concat.inputs:
        known = constant(part)
        if known is None and (part is None or part.shape is None or part.shape.dims != (1,)):
            return None
        sizes += [-1] if known is None else [int(size) for size in known]
    return sizes if sizes.count(-1) == 1 and 0 not in sizes else None
