"""Weights alone as integers: what comes in is rounded to its own range when the model runs. Nothing is calibrated."""

from collections.abc import Collection

import onnx_ir as ir

from isoform.hub.quantize import scales, static
from isoform.hub.quantize.scales import HIGHEST
from isoform.hub.quantize.units import layers


def store_layers(graph: ir.Graph, kept: Collection[str], highest: int = HIGHEST) -> None:
    """Store the weights of all layers but ``kept`` as integers with a DequantizeLinear behind them, in place.

    Args:
        highest: the integer that stands for the largest value of a weight.
    """
    for unit in layers(graph):
        is_carried = unit.node.op_type != "ConvTranspose"  # neither runtime has it with rounded numbers
        if unit.weight is not None and is_carried and unit.name not in kept:
            found = scales.of_weight(unit.weight, unit.channels, highest=highest)
            static.store_weight(graph, unit.node, unit.weight_place, unit.weight, found)
