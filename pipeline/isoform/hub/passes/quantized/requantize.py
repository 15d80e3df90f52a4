"""Integers of one scale made into those of another: QuantizeLinear right behind DequantizeLinear."""

import onnx_ir as ir

from isoform.hub.emitters.registry import QUANTIZED_DOMAIN
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.quantized.parameters import about, dequantizer, described, note, noted

_EIGHT_BITS = ("int8", "uint8")
_LARGEST_GAIN = 64.0
"""New steps that an old one may be: many more overflow in LiteRT's kernel."""


def requantize(graph: ir.Graph, node: ir.Node) -> bool:
    """Let a QuantizeLinear read the integers behind its input, in place; tell whether it does."""
    after, maker = described(node), dequantizer(node.inputs[0])
    before, integers = described(maker), maker.inputs[0] if maker is not None else None
    if after is None or before is None or integers is None or constant(integers) is not None:
        return False
    if after.axis is not None or before.axis is not None or not {after.dtype, before.dtype} <= set(_EIGHT_BITS):
        return False
    if not before.same_as(about(integers) or before) or before.step > _LARGEST_GAIN * after.step:
        return False
    new = ir.Node(QUANTIZED_DOMAIN, "Requantize", [integers], num_outputs=1, name=node.name)
    ir.convenience.replace_nodes_and_values(graph, node, [node], [new], node.outputs, new.outputs)
    note(integers, before)
    note(new.outputs[0], after)
    return True


def drop_requantizations(graph: ir.Graph) -> None:
    """Skip those that change nothing, now that all integers have a sign, in place."""
    for node in list(graph):
        if node.domain != QUANTIZED_DOMAIN or node.op_type != "Requantize" or node.inputs[0] is None:
            continue
        found = noted(node.inputs[0])
        if found is not None and found.same_as(noted(node.outputs[0])) and skip(node.outputs[0], node.inputs[0]):
            graph.remove(node, safe=True)


def skip(result: ir.Value, source: ir.Value) -> bool:
    """Let all that reads ``result`` read ``source``; False where ``source`` cannot bear an output's name."""
    if result.is_graph_output():
        if source.producer() is None or source.is_graph_output():
            return False
        source.name, result.name = result.name, None
    ir.convenience.replace_all_uses_with(result, source, replace_graph_outputs=True)
    return True
