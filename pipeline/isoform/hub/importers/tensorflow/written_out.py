"""Operators that TensorFlow has in float32 only, replaced in a graph by others that mean the same and have a float64.

For `isoform.hub.importers.tensorflow.float64`, which widens what stands here.
"""

import functools
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2, types_pb2

from isoform.core.protocols import Array

_NORMALISATIONS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_WIDE = types_pb2.DT_DOUBLE


def normalisation(graph: graph_pb2.GraphDef) -> None:
    """Replace batch normalisation by given statistics."""
    for node in [node for node in graph.node if node.op in _NORMALISATIONS and not node.attr["is_training"].b]:
        x, *parameters = list(node.input)[:5]
        epsilon, layout = float(node.attr["epsilon"].f), node.attr["data_format"].s or b"NHWC"
        made = _Nodes(graph, node.name)
        if layout != b"NHWC":
            shape = made.constant(np.array([-1] + [1] * (len(layout) - 2), np.int32))
            parameters = [made.add("Reshape", each, shape) for each in parameters]
        scale, offset, mean, variance = parameters
        spread = made.add("Sqrt", made.add("AddV2", variance, made.constant(np.array(epsilon))))
        unit = made.add("RealDiv", made.add("Sub", x, mean), spread)
        result = made.add("AddV2", made.add("Mul", unit, scale), offset)
        node.op = "Identity"
        node.attr.clear()
        node.attr["T"].type = _WIDE
        node.input[:] = [result]


def lstm(graph: graph_pb2.GraphDef) -> None:
    """Replace BlockLSTMV2 by a call of a loop over its steps, whose outputs have the same places."""
    known = {function.signature.name for function in graph.library.function}
    for node in [node for node in graph.node if node.op == "BlockLSTMV2" and node.attr["T"].type == types_pb2.DT_FLOAT]:
        looped = _looped(float(node.attr["cell_clip"].f), bool(node.attr["use_peephole"].b))
        for function in (looped.function_def, *looped.graph.as_graph_def().library.function):
            if function.signature.name not in known:
                graph.library.function.add().CopyFrom(function)
                known.add(function.signature.name)
        node.op = "PartitionedCall"
        node.attr.clear()
        node.attr["f"].func.name = looped.function_def.signature.name
        node.attr["Tin"].list.type.extend([each.dtype.as_datatype_enum for each in looped.inputs])
        node.attr["Tout"].list.type.extend([each.dtype.as_datatype_enum for each in looped.outputs])


@functools.cache
def _looped(cell_clip: float, use_peephole: bool) -> Any:
    """Return BlockLSTMV2 as a concrete function of its inputs.

    x is [length, batch, width]; gates lie in the order input, forget, cell, output; steps from ``seq_len_max`` on are
    zero. See tensorflow/core/ops/rnn_ops.cc.
    """

    def loop(
        seq_len_max: Any, x: Any, cs_prev: Any, h_prev: Any, w: Any, wci: Any, wcf: Any, wco: Any, b: Any
    ) -> list[Any]:
        steps = tf.cast(seq_len_max, tf.int32)
        traces = tuple(tf.TensorArray(x.dtype, tf.shape(x)[0], element_shape=[None, None]) for _ in range(7))
        zeros = tf.zeros_like(cs_prev)

        def body(time: Any, cs: Any, h: Any, traces: Any) -> Any:
            gates = tf.matmul(tf.concat([x[time], h], 1), w) + b
            i, f, ci, o = tf.split(gates, 4, 1)
            if use_peephole:
                i, f = i + cs * wci, f + cs * wcf
            i, f, ci = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(ci)
            cs = ci * i + cs * f
            if cell_clip > 0:
                cs = tf.clip_by_value(cs, -cell_clip, cell_clip)
            o = tf.sigmoid(o + cs * wco if use_peephole else o)
            co = tf.tanh(cs)
            h = co * o
            return (
                time + 1,
                cs,
                h,
                tuple(trace.write(time, each) for trace, each in zip(traces, (i, cs, f, o, ci, co, h), strict=True)),
            )

        def rest(time: Any, traces: Any) -> Any:
            return time + 1, tuple(trace.write(time, zeros) for trace in traces)

        time, _, _, traces = tf.while_loop(lambda time, *_: time < steps, body, (0, cs_prev, h_prev, traces))
        _, traces = tf.while_loop(lambda time, _: time < tf.shape(x)[0], rest, (time, traces))
        return [trace.stack() for trace in traces]

    ranks = (3, 2, 2, 2, 1, 1, 1, 1)
    specs = [tf.TensorSpec([None] * rank, tf.float32) for rank in ranks]
    return tf.function(loop, autograph=False).get_concrete_function(tf.TensorSpec([], tf.int64), *specs)


class _Nodes:
    """New nodes beside an old one, under names that start with its own."""

    def __init__(self, graph: graph_pb2.GraphDef, name: str) -> None:
        self._graph, self._name, self._count = graph, name, 0

    def constant(self, value: Array) -> str:
        node = self._made("Const")
        node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        return str(node.name)

    def add(self, op: str, *inputs: str) -> str:
        node = self._made(op)
        node.input.extend(inputs)
        node.attr["T"].type = _WIDE
        if op == "Reshape":
            node.attr["Tshape"].type = types_pb2.DT_INT32
        return str(node.name)

    def _made(self, op: str) -> node_def_pb2.NodeDef:
        self._count += 1
        return self._graph.node.add(name=f"{self._name}/float64_{self._count}", op=op)
