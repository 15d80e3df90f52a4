"""Let a float32 graph compute in float64: every weight, constant, cast and declared type upcast exactly.

What is left is the function that the graph means, without the rounding of its runtime.
"""

import numpy as np
import onnx_ir as ir

_NARROW, _WIDE = ir.DataType.FLOAT, ir.DataType.DOUBLE
_TYPE_ATTRIBUTES = {"Cast": "to", "EyeLike": "dtype", "SequenceEmpty": "dtype"}
"""Where an operator says the type that it makes; random ones have no reference to be compared with."""


def upcast(model: ir.Model) -> None:
    """Turn float32 into float64 throughout ``model``, in place; weights are converted when they are read."""
    for graph in model.graphs():
        for value in graph.initializers.values():
            value.const_value = _widened(value.const_value)
            _retype(value)
        for value in graph.inputs:
            _retype(value)
        for node in graph:
            _upcast_node(node)


def _upcast_node(node: ir.Node) -> None:
    for value in node.outputs:
        _retype(value)
    for name, attribute in list(node.attributes.items()):
        if attribute.type == ir.AttributeType.TENSOR:
            node.attributes[name] = ir.AttrTensor(name, _widened(attribute.value))
        elif attribute.type in (ir.AttributeType.FLOAT, ir.AttributeType.FLOATS) and node.op_type == "Constant":
            array = np.asarray(attribute.value, np.float32).astype(np.float64)
            del node.attributes[name]
            node.attributes["value"] = ir.AttrTensor("value", ir.tensor(array))
        elif name == _TYPE_ATTRIBUTES.get(node.op_type) and attribute.value == _NARROW:
            node.attributes[name] = ir.AttrInt64(name, int(_WIDE))


def _retype(value: ir.Value) -> None:
    if isinstance(value.type, ir.TensorType) and value.dtype == _NARROW:
        value.type = ir.TensorType(_WIDE)  # a copy of a graph shares its types with it


def _widened(tensor: ir.TensorProtocol | None) -> ir.TensorProtocol | None:
    if tensor is None or tensor.dtype != _NARROW:
        return tensor
    return ir.LazyTensor(
        lambda: ir.tensor(tensor.numpy().astype(np.float64)), dtype=_WIDE, shape=tensor.shape, name=tensor.name
    )
