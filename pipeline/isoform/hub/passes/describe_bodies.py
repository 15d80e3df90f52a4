"""Tell ONNX' own shape inference what it does not look for: what loop bodies are fed, and constants from outside them.

A carried value of a Loop may change its sizes from one round to the next, never its rank here; one of a Scan may not.
Those that no round changes are proved in carried_sizes.py.
"""

import onnx_ir as ir

from isoform.hub import graph as hub_graph
from isoform.hub.passes.carried_sizes import prove_carried_sizes
from isoform.hub.passes.fold_weights import constant, initializer

_LARGEST = 64
_DEPTH = 3
"""Loops inside loops: each level is described once the one around it is."""


def describe_bodies(model: ir.Model) -> None:
    """Describe the bodies of every Loop and Scan in place, and infer shapes."""
    nodes = list(model.graph.all_nodes())
    loops = [node for node in nodes if node.op_type in ("Loop", "Scan") and node.domain == ""]
    for node in nodes:
        if node.graph is not model.graph:
            _copy_constants(node)
    hub_graph.infer_shapes(model)
    for _ in range(_DEPTH if loops else 0):
        for node in loops:
            body = node.attributes["body"].as_graph()
            if node.op_type == "Loop":
                _describe_loop(node, body)
            elif len(node.inputs) == len(body.inputs):  # before opset 9 there is one more, and a batch
                _describe_scan(node, body)
        hub_graph.infer_shapes(model)
    prove_carried_sizes(model, [node for node in loops if node.op_type == "Loop"])


def _copy_constants(node: ir.Node) -> None:
    """Let a node inside a body read small integers from initialisers of the body."""
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    for place, value in enumerate(node.inputs):
        array = constant(value)
        if value is None or array is None or value.graph is graph or array.dtype.kind != "i" or array.size > _LARGEST:
            continue
        node.replace_input_with(place, initializer(graph, f"{value.name}/inside/{graph.name}", array))


def _describe_loop(node: ir.Node, body: ir.Graph) -> None:
    _describe(body.inputs[0], ir.DataType.INT64, ir.Shape([]))
    _describe(body.inputs[1], ir.DataType.BOOL, ir.Shape([]))
    for inner, outer in zip(body.inputs[2:], node.inputs[2:], strict=True):
        if outer is not None and outer.shape is not None:
            rank = len(outer.shape)
            _describe(inner, outer.dtype, ir.Shape([ir.SymbolicDim(f"{inner.name}_{axis}") for axis in range(rank)]))


def _describe_scan(node: ir.Node, body: ir.Graph) -> None:
    scanned = node.attributes["num_scan_inputs"].as_int()
    states = len(node.inputs) - scanned
    for place, (inner, outer) in enumerate(zip(body.inputs, node.inputs, strict=True)):
        if outer is None or outer.shape is None:
            continue
        dims = list(outer.shape)
        if place >= states:
            del dims[scan_axis(node, "scan_input_axes", place - states, len(dims))]
        _describe(inner, outer.dtype, ir.Shape(dims))


def scan_axis(node: ir.Node, name: str, place: int, rank: int) -> int:
    """Return the axis along which a Scan takes or puts element after element."""
    axes = list(node.attributes[name].as_ints()) if name in node.attributes else []
    return axes[place] % rank if axes else 0


def _describe(value: ir.Value, dtype: ir.DataType | None, shape: ir.Shape) -> None:
    """Fill in what is not declared."""
    if value.type is None and dtype is not None:
        value.dtype = dtype
    if value.shape is None:
        value.shape = shape
