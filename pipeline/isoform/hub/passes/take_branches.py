"""Put the branch that a known condition chooses in the place of its If.

A branch's names are its own: another branch, or the graph around it, may use the same ones, so all are given anew.
"""

from itertools import count

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant


def take_branches(model: ir.Model) -> bool:
    """Replace every If whose condition is constant by the branch taken, in place, in bodies too; tell if any was."""
    chosen = [node for node in model.graph.all_nodes() if node.op_type == "If" and node.domain == ""]
    chosen = [node for node in chosen if constant(node.inputs[0]) is not None]
    names = _names(model) if chosen else set()
    for node in chosen:
        if node.graph is not None:
            _take(node, names)
    return bool(chosen)


def _take(node: ir.Node, names: set[str]) -> None:
    known, graph = constant(node.inputs[0]), node.graph
    assert known is not None
    assert isinstance(graph, ir.Graph)
    branch = node.attributes["then_branch" if known.any() else "else_branch"].as_graph()
    nodes, results = list(branch), list(branch.outputs)
    branch.outputs.clear()
    for weight in list(branch.initializers.values()):
        del branch.initializers[str(weight.name)]
        _rename(weight, names)
        graph.register_initializer(weight)
    branch.remove(nodes)
    for each in nodes:
        for value in each.outputs:
            _rename(value, names)
    graph.insert_before(node, nodes)
    for old, new in zip(node.outputs, results, strict=True):
        _give(graph, node, old, new)
    graph.remove(node, safe=True)


def _give(graph: ir.Graph, node: ir.Node, old: ir.Value, new: ir.Value) -> None:
    """Let what reads ``old``, the graph's own outputs too, read ``new``."""
    if not old.is_graph_output():
        ir.convenience.replace_all_uses_with(old, new)
        return
    result = ir.Value(name=old.name, type=old.type, shape=old.shape)  # the output keeps its name
    old.name = f"{old.name}/untaken"
    graph.insert_before(node, ir.node("Identity", [new], outputs=[result]))
    ir.convenience.replace_all_uses_with(old, result, replace_graph_outputs=True)


def _names(model: ir.Model) -> set[str]:
    """Return every name of a value, wherever it stands."""
    found: set[str] = set()
    for graph in model.graphs():
        found |= {str(value.name) for value in graph.inputs}
        found |= set(graph.initializers)
        found |= {str(value.name) for node in graph for value in node.outputs}
    return found


def _rename(value: ir.Value, names: set[str]) -> None:
    if value.name:
        value.name = next(name for number in count(1) if (name := f"{value.name}.{number}") not in names)
        names.add(value.name)
