"""The hub graph as TensorFlow: a tf.Module with named variables and one tf.function.

One function per operator stands in tf_ops/, in the file of its family. Images run channels-last. Not aware of
SavedModel's files.
"""

from collections import ChainMap
from collections.abc import MutableMapping, Sequence
from typing import Any

import onnx_ir as ir
import tensorflow as tf
from onnx_ir.passes import common

from isoform.errors import IsoformError
from isoform.hub.emitters.registry import opset_of
from isoform.hub.emitters.tf_ops import families
from isoform.hub.emitters.tf_ops.call import OPERATORS, Call, Weights, read
from isoform.hub.emitters.tf_ops.interface import inward, outward, spec_of
from isoform.hub.passes.expand_functions import expand_functions
from isoform.hub.passes.layout import to_channels_last
from isoform.hub.passes.name_nodes import name_nodes
from isoform.hub.passes.simplify import simplify

__all__ = ["OPERATORS", "emit", "families"]


class Emitted(tf.Module):
    """A graph as TensorFlow runs it.

    Attributes:
        weights: the variables by the names of the initialisers they come from.
        contents: what the variables hold, by name, where they are placeholders.
        serve: a tf.function of the graph's inputs in their order; it returns a tuple of its outputs in theirs.
    """

    def __init__(self, model: ir.Model, holds_values: bool) -> None:
        super().__init__(name="model")
        self._model = model
        self._store = Weights(holds_values)
        specs = [spec_of(value) for value in model.graph.inputs]
        self.serve = tf.function(self.call, input_signature=specs, autograph=False)
        self.serve.get_concrete_function()  # makes the variables
        self.weights = self._store.variables
        self.contents = self._store.contents

    def call(self, *tensors: Any) -> tuple[Any, ...]:
        """Return the outputs for ``tensors``, emitted into whatever graph is being traced."""
        graph = self._model.graph
        given = [inward(value, tensor) for value, tensor in zip(graph.inputs, tensors, strict=True)]
        return tuple(map(outward, self._emit_graph(graph, given, {})))

    def _emit_graph(self, graph: ir.Graph, tensors: Sequence[Any], outside: MutableMapping[Any, Any]) -> list[Any]:
        values: MutableMapping[Any, Any] = ChainMap({}, outside)
        values.update(zip(graph.inputs, tensors, strict=True))
        for node in graph:
            results = self._emit_node(node, values)
            values.update(zip(node.outputs, results, strict=False))
        return [read(value, values, self._store) for value in graph.outputs]

    def _emit_node(self, node: ir.Node, values: MutableMapping[Any, Any]) -> Sequence[Any]:
        opset = opset_of(self._model, node)
        function = OPERATORS.lookup(node, opset)
        assert function is not None, "the pre-flight has seen every node"
        try:
            results = function(Call(node, opset, values, self._store, self._emit_graph))
        except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise IsoformError(
                f"'{node.op_type}' (node {node.name}, opset {opset}): TensorFlow refuses it ({first[:200]}).",
                "Report this operator with its attributes and shapes; or try another format.",
                kind="emission",
            ) from error
        results = results if isinstance(results, (tuple, list)) else (results,)
        return [_ranked(result, value) for result, value in zip(results, node.outputs, strict=False)]


def emit(model: ir.Model, holds_values: bool = True) -> Emitted:
    """Return ``model`` as a tf.Module; the model itself is left as it is, its weights are shared.

    Args:
        holds_values: whether the variables are filled; if not, the module can only be written, with its ``contents``.

    Raises:
        UnsupportedOperator: nodes that no function here carries, all of them.
        IsoformError: an input without a known rank, or an operator in a form that TensorFlow cannot have.
    """
    model = model.clone()
    common.RemoveInitializersFromInputsPass()(model)  # before IR version 4 every weight was an input as well
    simplify(model)
    if expand_functions(model, OPERATORS.carries):
        simplify(model)
    name_nodes(model)
    OPERATORS.require(model)
    to_channels_last(model, also=[("Resize", 4)], ranks=(3, 4, 5))
    return Emitted(model, holds_values)


def _ranked(result: Any, value: ir.Value) -> Any:
    """Return ``result`` with the rank that shape inference promises, where TensorFlow itself has lost it."""
    if value.shape is None or not tf.is_tensor(result) or result.shape.rank is not None:
        return result
    return tf.ensure_shape(result, [None] * len(value.shape))
