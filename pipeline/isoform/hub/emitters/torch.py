"""The hub graph as PyTorch: a module whose code reads as if written by hand, with real, named parameters.

One function per operator stands in torch_ops/, in the file of its family. Not aware of TorchScript's files.
"""

import re
from collections.abc import Sequence

import onnx_ir as ir
import torch
from torch import fx

from isoform.hub import graph as hub_graph
from isoform.hub.emitters.registry import opset_of
from isoform.hub.emitters.torch_ops import families
from isoform.hub.emitters.torch_ops.call import OPERATORS, Call, Value
from isoform.hub.emitters.torch_ops.weights import Weights
from isoform.hub.passes.restore_squeeze import restore_squeeze
from isoform.hub.passes.simplify import simplify

__all__ = ["OPERATORS", "emit", "families"]


def emit(model: ir.Model) -> fx.GraphModule:
    """Return ``model`` as a module called with tensors in input order; one output is a tensor, several a tuple.

    It can be trained, traced with dynamic sizes kept, and cast with ``.double()``; the graph is rewritten on the way.

    Raises:
        UnsupportedOperator: nodes that no function here carries, all of them.
        IsoformError: an operator in a form that is not carried.
    """
    simplify(model)
    restore_squeeze(model)
    hub_graph.infer_shapes(model)
    OPERATORS.require(model)
    root, graph = torch.nn.Module(), fx.Graph()
    tracer = fx.proxy.GraphAppendingTracer(graph)
    weights = Weights(root, tracer)
    values: dict[ir.Value, Value] = {
        value: fx.Proxy(graph.placeholder(_identifier(str(value.name))), tracer) for value in model.graph.inputs
    }
    for node in model.graph:
        call = Call(node, opset_of(model, node), values, weights)
        function = OPERATORS.lookup(node, call.opset)
        assert function is not None, "the pre-flight has seen every node"
        results = function(call)
        many: Sequence[Value] = results if isinstance(results, (tuple, list)) else [results]
        values.update(zip(node.outputs, many, strict=False))
    outputs = [_output(value, values, weights) for value in model.graph.outputs]
    graph.output(outputs[0] if len(outputs) == 1 else tuple(outputs))
    graph.eliminate_dead_code()
    return fx.GraphModule(root, graph, class_name=_identifier(model.graph.name or "Model")).eval()


def _output(value: ir.Value, values: dict[ir.Value, Value], weights: Weights) -> fx.Node:
    """Return the node behind an output; sizes become a tensor, constants a buffer."""
    passing = Call(ir.node("Identity", [value]), 1, values, weights)
    node: fx.Node = passing[0].node
    return node


def _identifier(name: str) -> str:
    cleaned = re.sub(r"\W", "_", name)
    return cleaned if cleaned and not cleaned[0].isdigit() else f"_{cleaned}"
