"""A skeleton as an ONNX graph: tf2onnx, with what it lacks added, and nothing it could not convert let through."""

import logging

import onnx
import onnx_ir as ir
import tensorflow as tf
import tf2onnx
from tensorflow.core.framework import graph_pb2

from isoform.errors import IsoformError, UnsupportedOperator
from isoform.hub.importers.tensorflow.ops.families import HANDLERS
from isoform.hub.importers.tensorflow.ops.table import REASON
from isoform.hub.importers.tensorflow.skeleton import Skeleton

OPSET = 18
_STANDS_IN = "ImmutableConst"
"""Says of what dtype and shape a weight is, and never runs."""
_RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
_SHOWN = 5


def to_onnx(skeleton: Skeleton) -> ir.Model:
    """Return the ONNX graph of ``skeleton``: its inputs are the function's and the weights, in that order.

    Raises:
        UnsupportedOperator: operators that neither tf2onnx nor this package has a form for.
        IsoformError: tf2onnx fails, or the graph draws random numbers.
    """
    try:
        proto = _converted(skeleton)
    except Exception as error:  # tf2onnx and TensorFlow raise types of many packages
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0][:300] if lines else type(error).__name__
        raise IsoformError(
            f"tf2onnx does not convert the function: {reason}",
            "Find the layer by converting parts of the network, and write it with other operators.",
            kind="export",
        ) from error
    model = ir.from_proto(proto)
    _drop_element_shapes(model)
    _refuse_what_is_not_onnx(model)
    return model


def _converted(skeleton: Skeleton) -> onnx.ModelProto:
    """Return what tf2onnx makes of the graph, without its optimisers: the hub's passes cost a tenth of theirs."""
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it cannot convert is found in the graph itself
    graph = _optimised(skeleton)
    with tf.device("/cpu:0"), tf.Graph().as_default() as imported:
        tf.import_graph_def(graph, name="")
        converted = tf2onnx.tfonnx.process_tf_graph(
            imported,
            continue_on_error=True,
            input_names=skeleton.inputs,
            output_names=skeleton.outputs,
            opset=OPSET,
            custom_op_handlers={name: (handler, []) for name, handler in HANDLERS.items()},
        )
    converted.topological_sort(converted.get_nodes())
    return converted.make_model("converted by isoform")


def _optimised(skeleton: Skeleton) -> graph_pb2.GraphDef:
    """Return the graph after TensorFlow's own optimiser, which makes zeros for every placeholder."""
    standing_in = graph_pb2.GraphDef()
    standing_in.CopyFrom(skeleton.graph)
    for node in standing_in.node:
        if node.name in skeleton.weights:
            node.op = _STANDS_IN
            node.attr["memory_region_name"].s = node.name.encode()  # no two are the same
    with tf.Graph().as_default():
        graph = tf2onnx.tf_loader.tf_optimize_grappler(skeleton.inputs, skeleton.outputs, standing_in)
    for node in graph.node:
        if node.op == _STANDS_IN:
            node.op = "Placeholder"
            del node.attr["memory_region_name"]
    return graph


def _drop_element_shapes(model: ir.Model) -> None:
    """Leave one input to each Identity: those for lists of tensors still have the shape of an element as another."""
    for node in model.graph.all_nodes():
        if node.op_type == "Identity" and len(node.inputs) > 1:
            node.resize_inputs(1)


def _refuse_what_is_not_onnx(model: ir.Model) -> None:
    nodes = list(model.graph.all_nodes())
    unknown = [_written(node) for node in nodes if not onnx.defs.has(node.op_type, node.domain)]
    if unknown:
        raise UnsupportedOperator.of(unknown, "onnx")
    random = [_written(node) for node in nodes if node.op_type in _RANDOM]
    if random:
        raise IsoformError(
            f"The function draws random numbers when it is called: {'; '.join(random[:_SHOWN])}.",
            "Leave out what is random at inference, or give it as an input.",
            kind="random",
        )


def _written(node: ir.Node) -> str:
    reason = node.attributes.get(REASON)
    kind = f" {reason.as_string()}" if reason is not None else ""
    return f"'{node.op_type}'{kind} (node {node.name}, opset {OPSET})"
