"""Integer arithmetic for graphs that say it in DequantizeLinear and QuantizeLinear: read as LiteRT's integer kernels.

An operator between the two becomes one of the domain ``isoform.quantized``, which reads and writes integers, where
LiteRT has a kernel of the same meaning (`rules`). Before that, what only moves numbers moves integers (`moves`); after
it, integers get a sign (`signs`). All others stay operators of numbers. What integers stand for is noted on values.
"""

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.hub.emitters.registry import QUANTIZED_DOMAIN
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.quantized.constants import settle_constants
from isoform.hub.passes.quantized.folding import fold_quantized_constants
from isoform.hub.passes.quantized.group import Group, as_signed, group_of
from isoform.hub.passes.quantized.moves import move_integers
from isoform.hub.passes.quantized.parameters import (
    DEQUANTIZE,
    QUANTIZE,
    about,
    dequantizer,
    described,
    note,
    noted,
)
from isoform.hub.passes.quantized.requantize import drop_requantizations, requantize
from isoform.hub.passes.quantized.rules import RULES
from isoform.hub.passes.quantized.signs import sign_integers
from isoform.hub.quantization import Quantization

__all__ = ["DEQUANTIZE", "Quantization", "as_signed", "dequantizer", "described", "fuse_quantized", "noted"]


def fuse_quantized(model: ir.Model, *, keeps_recurrent: bool = False) -> None:
    """Turn quantised operators of the main graph into those that read and write integers, in place.

    Image operators have to be channels last; shapes have to be inferred before.

    Args:
        keeps_recurrent: leave the weights of recurrent layers as integers, for whoever multiplies by them.
    """
    graph = model.graph
    is_fused = False
    fold_quantized_constants(graph)
    move_integers(graph)
    for node in list(graph):
        if node.op_type == QUANTIZE and requantize(graph, node):
            is_fused = True
            continue
        rule = RULES.get((node.domain, node.op_type))
        group = group_of(graph, node) if rule is not None and len(node.outputs) == 1 else None
        nodes = rule(group) if rule is not None and group is not None else None
        if group is not None and nodes is not None and _agree(group, nodes):
            _replace(group, nodes)
            is_fused = True
    common.RemoveUnusedNodesPass()(model)
    if is_fused:
        sign_integers(graph)
        drop_requantizations(graph)
        model.opset_imports[QUANTIZED_DOMAIN] = 1
    settle_constants(graph, keeps_recurrent=keeps_recurrent)


def _agree(group: Group, nodes: list[ir.Node]) -> bool:
    """Note what the integers that are read stand for; False where another node reads them otherwise."""
    read = {value for node in nodes for value in node.inputs if value is not None}
    makers = [maker for maker in map(dequantizer, group.node.inputs) if maker is not None]
    found = [(maker.inputs[0], described(maker)) for maker in makers if maker.inputs[0] in read]
    pairs = [
        (value, each) for value, each in found if value is not None and each is not None and constant(value) is None
    ]
    if not all(each.same_as(about(value) or each) for value, each in pairs):
        return False
    for value, each in pairs:
        note(value, each)
    return True


def _replace(group: Group, nodes: list[ir.Node]) -> None:
    ir.convenience.replace_nodes_and_values(
        group.graph, group.last, [group.last], nodes, group.last.outputs, nodes[-1].outputs
    )
