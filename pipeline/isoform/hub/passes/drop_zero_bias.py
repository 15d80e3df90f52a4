"""Leave out a bias that is zero: exporters write one for every layer that has none, computed anew at each call."""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant

_BIAS_AT = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2}
_STILL_ZERO = {"Cast", "CastLike", "Expand", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
"""Operators that turn zeros into zeros, whatever their other inputs are."""
_LARGEST_LOOKED_AT = 1 << 20


def drop_zero_bias(model: ir.Model) -> None:
    """Remove the bias input of convolutions and Gemm where it is zero by construction, in place."""
    for node in model.graph.all_nodes():
        position = _BIAS_AT.get(node.op_type) if node.domain == "" else None
        if position is not None and len(node.inputs) > position and _is_zero(node.inputs[position]):
            node.replace_input_with(position, None)
            node.resize_inputs(position)


def _is_zero(value: ir.Value | None) -> bool:
    if value is None or value.is_graph_input():
        return False
    node = value.producer()
    if node is not None and node.op_type in _STILL_ZERO and node.domain == "":
        return _is_zero(node.inputs[0])
    tensor = value.const_value
    if tensor is not None and tensor.nbytes > _LARGEST_LOOKED_AT:
        return False
    array = constant(value)
    return array is not None and not np.any(array)
