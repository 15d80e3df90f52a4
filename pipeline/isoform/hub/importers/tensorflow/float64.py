"""A TensorFlow function in float64: its graph with every float32 in it widened, and run by TensorFlow's own kernels.

Constants and weights are upcast exactly. An operator that TensorFlow has in float32 only is refused, but for those that
are `written_out`. Not aware of ONNX.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, types_pb2

from isoform.core.protocols import Array
from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub.importers.tensorflow import references, skeleton, written_out
from isoform.hub.importers.tensorflow.tracing import trace
from isoform.hub.serving import caller, weight_names

_REFUSED = re.compile(r"Op<name=(\w+)")
_SUFFIX = "_float64"
"""Of a widened function: the process knows the one with its name already."""
_NARROW, _WIDE = types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE


def widened(served: Any, declared: Signature) -> Callable[..., Sequence[Any]]:
    """Return what a SavedModel's signature computes as a function of float64 tensors, inputs and outputs as declared.

    Raises:
        IsoformError: the graph changes variables or reads tables, or an operator has no float64 in TensorFlow.
    """
    function = trace(caller(served, declared), declared)
    found = skeleton.of_function(function, weight_names(served), references.read(served), {})
    widen(found.graph)
    return _imported(found, {name: array for name, (_, array) in found.weights.items()})


def _imported(found: skeleton.Skeleton, weights: Mapping[str, Array]) -> Callable[..., Sequence[Any]]:
    values = [tf.constant(_wide(array)) for array in weights.values()]
    wrapped = imported(found.graph)
    pruned = wrapped.prune(list(map(wrapped.graph.get_tensor_by_name, found.inputs)),
                           list(map(wrapped.graph.get_tensor_by_name, found.outputs)))  # fmt: skip
    return lambda *tensors: pruned(*tensors, *values)


def imported(graph: graph_pb2.GraphDef) -> Any:
    """Return a widened graph as a function, of which any part may be pruned.

    Raises:
        IsoformError: an operator has no float64 in TensorFlow.
    """
    try:
        return tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    except (ValueError, tf.errors.OpError) as error:
        refused = _REFUSED.search(str(error))
        what = f"'{refused[1]}'" if refused else f"this graph ({str(error).strip().splitlines()[0][:200]})"
        raise IsoformError(
            f"TensorFlow has no float64 form of {what}",
            "Ask the graph that it was written from, or a format that runs in float64.",
            kind="no-float64",
        ) from error


def widen(graph: graph_pb2.GraphDef) -> None:
    """Turn float32 into float64 throughout ``graph`` and its functions, in place."""
    written_out.normalisation(graph)
    written_out.lstm(graph)
    for function in graph.library.function:
        function.signature.name += _SUFFIX
        for argument in (*function.signature.input_arg, *function.signature.output_arg):
            if argument.type == _NARROW:
                argument.type = _WIDE
            argument.ClearField("handle_data")
        _widen_nodes(function.node_def)
    _widen_nodes(graph.node)


def _widen_nodes(nodes: Iterable[Any]) -> None:
    for node in nodes:
        for attribute in node.attr.values():
            kind = attribute.WhichOneof("value")
            if kind == "type" and attribute.type == _NARROW:
                attribute.type = _WIDE
            elif kind == "tensor" and attribute.tensor.dtype == _NARROW:
                attribute.tensor.CopyFrom(tf.make_tensor_proto(_wide(tf.make_ndarray(attribute.tensor))))
            elif kind == "func":
                attribute.func.name += _SUFFIX
            elif kind == "list":
                for called in attribute.list.func:
                    called.name += _SUFFIX
                types = [_WIDE if each == _NARROW else each for each in attribute.list.type]
                attribute.list.type[:] = types


def _wide(array: Array) -> Array:
    return np.asarray(array, np.float64) if array.dtype == np.float32 else array
