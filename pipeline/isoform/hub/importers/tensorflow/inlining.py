"""One flat TensorFlow graph of a function: calls replaced by what they call, loops and branches kept."""

from typing import Any

from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, rewriter_config_pb2
from tensorflow.python.framework.meta_graph import export_scoped_meta_graph
from tensorflow.python.grappler import tf_optimizer

_HINDRANCES = ("_XlaMustCompile", "_XlaCompile", "_noinline", "api_implements", "_implements", "api_preferred_device")
"""Attributes for which TensorFlow leaves a function as a call; none changes what it computes."""
_LOWERED = "_lower_using_switch_merge"


def inlined(function: Any) -> graph_pb2.GraphDef:
    """Return the graph of a ConcreteFunction with all calls inlined."""
    graph = function.graph.as_graph_def()
    for each in graph.library.function:
        _strip(each)
        for node in each.node_def:
            _strip(node)
    for node in graph.node:
        _strip(node)
    meta_graph, _ = export_scoped_meta_graph(graph_def=graph, graph=function.graph)
    for name in list(meta_graph.collection_def):
        del meta_graph.collection_def[name]
    fetched = meta_graph_pb2.CollectionDef()
    fetched.node_list.value.extend(tensor.name for tensor in [*function.inputs, *function.outputs])
    meta_graph.collection_def["train_op"].CopyFrom(fetched)
    config = config_pb2.ConfigProto()
    options = config.graph_options.rewrite_options
    options.min_graph_nodes = -1  # small graphs too
    options.optimizers.append("function")
    options.function_optimization = rewriter_config_pb2.RewriterConfig.AGGRESSIVE
    return tf_optimizer.OptimizeGraph(config, meta_graph)


def _strip(owner: Any) -> None:
    for name in _HINDRANCES:
        owner.attr.pop(name, None)
    if _LOWERED in owner.attr:
        owner.attr[_LOWERED].b = False
