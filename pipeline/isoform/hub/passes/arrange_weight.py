"""A weight in another arrangement of the same elements, under its own name."""

import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.passes.fold_weights import initializer


def arranged(graph: ir.Graph, weight: ir.Value, array: Array) -> ir.Value:
    """Return an initialiser that holds ``array`` and bears the weight's name, if one node at most reads the weight."""
    name = str(weight.name)
    if len(list(weight.uses())) <= 1 and name in graph.initializers and not weight.is_graph_output():
        graph.initializers.pop(name)
        weight.name = f"{name}/arranged"
    return initializer(graph, name, array)
