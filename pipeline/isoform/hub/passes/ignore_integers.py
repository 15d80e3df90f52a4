"""Let a graph that computes in integers of a scale compute in numbers throughout, its weights as they were rounded.

What is left is what the graph means if nothing but its weights is rounded: activations go through QuantizeLinear and
DequantizeLinear as they are, and what comes in to a dynamic layer is not rounded to its own range. Which group became
which integer kernel no longer matters, so that a graph can be held against the one that it was made of.
"""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.quantized.moves import MOVING
from isoform.hub.passes.quantized.parameters import DEQUANTIZE, QUANTIZE, described
from isoform.hub.quantization import Quantization

_NUMBERS = ir.TensorType(ir.DataType.FLOAT)


def ignore_integers(model: ir.Model) -> None:
    """Turn integers of a scale into float32 numbers in place."""
    for graph in model.graphs():
        for node in list(graph):
            step = _STEPS.get((node.domain, node.op_type))
            if step is not None:
                step(graph, node)
    common.RemoveUnusedNodesPass()(model)


def _rounded(graph: ir.Graph | ir.Function, node: ir.Node) -> None:
    """Let what is rounded pass as it is: QuantizeLinear gives its input."""
    if described(node) is not None:
        _give(node, 0, node.inputs[0])


def _widened(graph: ir.Graph | ir.Function, node: ir.Node) -> None:
    """Let DequantizeLinear give numbers: of a constant, of what was moved out of one, or what was not rounded."""
    about, value = described(node), node.inputs[0]
    if about is None or value is None:
        return
    array = constant(value)
    if array is not None:
        value = initializer(graph, f"{value.name}/numbers", about.numbers(array))
    elif about.axis is None:
        _uncover(graph, value, about)
    _give(node, 0, value)


def _uncover(graph: ir.Graph | ir.Function, value: ir.Value, about: Quantization) -> None:
    """Let what only moves integers to ``value``, as rows of a table, move numbers."""
    maker = value.producer()
    while maker is not None and maker.op_type in MOVING and value.type != _NUMBERS:
        value.type = _NUMBERS
        before = maker.inputs[0]
        array = constant(before)
        if before is None or (array is not None and array.dtype.kind == "f"):
            return
        if array is not None:
            maker.replace_input_with(0, initializer(graph, f"{before.name}/numbers", about.numbers(array)))
            return
        value, maker = before, before.producer()


def _own_range(graph: ir.Graph | ir.Function, node: ir.Node) -> None:
    """Let DynamicQuantizeLinear give its input, in steps of one around zero."""
    one, zero = np.ones((), np.float32), np.zeros((), np.float32)
    _give(node, 0, node.inputs[0])
    _give(node, 1, initializer(graph, f"{node.outputs[1].name}/one", one))
    _give(node, 2, initializer(graph, f"{node.outputs[2].name}/none", zero))


def _product(graph: ir.Graph | ir.Function, node: ir.Node) -> None:
    """Let MatMulInteger multiply numbers by its integers as numbers; their zero point is taken off first."""
    array = constant(node.inputs[1])
    if array is None or constant(node.inputs[0]) is not None:
        return
    zero = constant(node.inputs[3]) if len(node.inputs) > 3 else None
    whole = array.astype(np.float32) - (0 if zero is None else zero.astype(np.float32))
    weight = initializer(graph, f"{node.inputs[1].name}/numbers", whole)
    product = ir.Node("", "MatMul", [node.inputs[0], weight], num_outputs=1, name=node.name)
    graph.insert_before(node, product)
    product.outputs[0].type, product.outputs[0].shape = ir.TensorType(ir.DataType.FLOAT), node.outputs[0].shape
    _give(node, 0, product.outputs[0])


def _recurrent(graph: ir.Graph | ir.Function, node: ir.Node) -> None:
    """Let DynamicQuantizeLSTM be LSTM: weights [directions, features, 4 units] and a scale for each of the last."""
    inputs = list(node.inputs)
    for place, scale_place in ((1, 8), (2, 10)):
        array, scale, zero = (constant(inputs[each]) for each in (place, scale_place, scale_place + 1))
        if array is None or scale is None or zero is None:
            return
        scale, zero = (part.reshape(len(array), 1, -1) for part in (scale, zero))
        whole = (array.astype(np.int64) - zero) * scale.astype(np.float64)
        weight = np.ascontiguousarray(whole.astype(np.float32).transpose(0, 2, 1))
        inputs[place] = initializer(graph, f"{node.inputs[place].name}/numbers", weight)
    new = ir.Node("", "LSTM", inputs[:8], node.attributes.values(), num_outputs=len(node.outputs), name=node.name)
    graph.insert_before(node, new)
    for place, (old, value) in enumerate(zip(node.outputs, new.outputs, strict=True)):
        value.type, value.shape = old.type, old.shape
        _give(node, place, value)


def _give(node: ir.Node, place: int, value: ir.Value | None) -> None:
    """Let ``value`` be what everybody reads in place of an output; a graph's output keeps its name."""
    old, graph = node.outputs[place], node.graph
    assert value is not None
    if old.is_graph_output():
        name, kept = old.name, ir.node("Identity", [value])
        old.name = f"{name}/rounded"
        kept.outputs[0].name, kept.outputs[0].type, kept.outputs[0].shape = name, value.type, old.shape
        assert graph is not None
        graph.insert_after(node, kept)
        for index, output in enumerate(graph.outputs):
            if output is old:
                graph.outputs[index] = kept.outputs[0]
    ir.convenience.replace_all_uses_with(old, value)


_STEPS: dict[tuple[str, str], Callable[[ir.Graph | ir.Function, ir.Node], None]] = {
    ("", QUANTIZE): _rounded,
    ("", DEQUANTIZE): _widened,
    ("", "DynamicQuantizeLinear"): _own_range,
    ("", "MatMulInteger"): _product,
    ("com.microsoft", "DynamicQuantizeLSTM"): _recurrent,
}
