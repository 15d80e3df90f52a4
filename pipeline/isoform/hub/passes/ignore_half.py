"""Let a graph that computes in float16 in parts compute in float32 throughout, its weights as they were rounded.

What is left is what the graph means if nothing but its weights is rounded: casts to float16 round no more. Where a
network itself rounds on the way, `isoform.hub.passes.widen_half` keeps that; this pass is for a declared precision.
"""

import numpy as np
import onnx_ir as ir

_HALF, _FLOAT = ir.DataType.FLOAT16, ir.DataType.FLOAT


def ignore_half(model: ir.Model) -> None:
    """Turn float16 into float32 in place; weights are widened when they are read."""
    for graph in model.graphs():
        for value in graph.initializers.values():
            if value.const_value is not None and value.const_value.dtype == _HALF:
                value.const_value = _widened(value.const_value)
            _retype(value)
        for node in graph:
            for value in node.outputs:
                _retype(value)
            if node.op_type == "Cast" and node.attributes["to"].as_int() == _HALF:
                node.attributes["to"] = ir.AttrInt64("to", int(_FLOAT))


def _retype(value: ir.Value) -> None:
    if isinstance(value.type, ir.TensorType) and value.dtype == _HALF:
        value.type = ir.TensorType(_FLOAT)


def _widened(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    return ir.LazyTensor(
        lambda: ir.tensor(tensor.numpy().astype(np.float32)), dtype=_FLOAT, shape=tensor.shape, name=tensor.name
    )
