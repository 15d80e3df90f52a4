"""Which weights a graph stores as integers: noted where one becomes so, and read from the graph itself for gate 1.

A node's metadata holds the names, which stay true where equal tensors become one.
"""

import onnx_ir as ir

from isoform.core.quantised import Stored
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.quantized.parameters import DEQUANTIZE, described

_WEIGHT, _READER = "isoform.weight", "isoform.reader"


def note(node: ir.Node, weight: str, reader: str) -> None:
    """Note that the DequantizeLinear ``node`` makes the numbers of ``weight``, or rows of it, for ``reader``."""
    node.metadata_props[_WEIGHT], node.metadata_props[_READER] = weight, reader


def stored(model: ir.Model) -> list[Stored]:
    """Return all that is noted, in the order of the graph."""
    found = []
    for node in model.graph:
        weight, about = node.metadata_props.get(_WEIGHT), described(node) if node.op_type == DEQUANTIZE else None
        value, scale = (node.inputs[0], node.inputs[1]) if about is not None else (None, None)
        maker = value.producer() if value is not None else None
        if maker is not None and maker.op_type == "Gather":
            value = maker.inputs[0]  # a table's rows are picked before they are numbers
        array = constant(value)
        if weight is None or about is None or value is None or scale is None or array is None:
            continue
        names = node.metadata_props[_READER], str(value.name), str(scale.name)
        found.append(Stored(weight, *names, array, about.scale, about.zero_point, about.axis))
    return found
