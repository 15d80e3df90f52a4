"""Leave out an Identity wherever its value may bear the name that is read, in bodies too.

An output of a graph has to be computed in that very graph, under a name that no other output has: an Identity that
gives a body what stands outside of it, or one value under two names, is there for a reason and stays.
"""

import onnx_ir as ir


def drop_identities(model: ir.Model) -> None:
    """Let what reads an Identity read what it is given, in place."""
    for node in list(model.graph.all_nodes()):
        source = node.inputs[0] if node.op_type == "Identity" and node.domain == "" else None
        if source is None or node.graph is None:
            continue
        result = node.outputs[0]
        if not result.is_graph_output():
            _tell(source, result)
            ir.convenience.replace_all_uses_with(result, source)
            node.graph.remove(node, safe=True)
        elif _may_be_renamed(source, node):
            _tell(source, result)
            name = result.name
            ir.convenience.replace_all_uses_with(result, source, replace_graph_outputs=True)
            node.graph.remove(node, safe=True)
            source.name = name


def _may_be_renamed(source: ir.Value, node: ir.Node) -> bool:
    """Return whether ``source`` can be the output itself: computed beside ``node``, and no output yet."""
    producer = source.producer()
    return producer is not None and producer.graph is node.graph and not source.is_graph_output()


def _tell(source: ir.Value, result: ir.Value) -> None:
    """Keep what is declared of the result where nothing is known of the source."""
    if source.type is None:
        source.type = result.type
    if source.shape is None and result.shape is not None:
        source.shape = result.shape.copy()
