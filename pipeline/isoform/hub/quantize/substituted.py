"""The float graph with each weight replaced by what its integers stand for: what a graph of integers has to compute."""

from collections.abc import Sequence

import onnx_ir as ir

from isoform.core.quantised import Stored
from isoform.hub.passes.fold_weights import initializer
from isoform.hub.quantization import Quantization


def substituted(model: ir.Model, stored: Sequence[Stored]) -> ir.Model:
    """Return a copy of ``model`` whose readers named by ``stored`` read numbers of these integers."""
    own = model.clone()
    nodes = {str(node.name): node for node in own.graph}
    for entry in stored:
        node = nodes[entry.reader]
        about = Quantization(entry.scale, entry.zero_point, str(entry.integers.dtype), entry.axis)
        value = initializer(own.graph, f"{entry.integers_name}/numbers", about.numbers(entry.integers))
        for place, old in enumerate(node.inputs):
            if old is not None and old.name == entry.weight:
                node.replace_input_with(place, value)
    return own
