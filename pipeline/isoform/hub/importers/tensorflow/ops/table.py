"""How handlers are written: one function an operator, which rewrites a node of tf2onnx' graph.

A handler takes a `Call`, makes nodes with it and returns the name of what replaces the node's outputs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tf2onnx

from isoform.core.protocols import Array

Form = Callable[["Call"], str | Sequence[str]]
Handler = Callable[[Any, Any, str, Any], None]


class Call:
    """One node of tf2onnx' graph that is being replaced."""

    def __init__(self, graph: Any, node: Any) -> None:
        self.graph = graph
        self.node = node
        self.inputs: list[str] = list(node.input)

    @property
    def dtype(self) -> Any:
        """The NumPy dtype of the first input."""
        return tf2onnx.utils.map_onnx_to_numpy_type(self.graph.get_dtype(self.inputs[0]))

    def shape(self, name: str) -> list[int] | None:
        """Return the sizes of a tensor, -1 where unknown; None if not even their number is known."""
        return self.graph.get_shape(name)

    def attribute(self, name: str) -> Any:
        return self.node.get_attr_value(name)

    def known(self, index: int) -> Array | None:
        """Return the value of an input that is a constant."""
        node = self.node.inputs[index]
        return np.asarray(node.get_tensor_value(as_list=False)) if node.is_const() else None

    def constant(self, value: Any, dtype: Any = None) -> str:
        array = np.asarray(value, self.dtype if dtype is None else dtype)
        return str(self.graph.make_const(tf2onnx.utils.make_name(self.node.name), array).output[0])

    def make(self, op_type: str, inputs: Sequence[str], count: int = 1, **attributes: Any) -> str:
        """Return the first output of a new node."""
        return self.many(op_type, inputs, count, **attributes)[0]

    def many(self, op_type: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        node = self.graph.make_node(op_type, list(inputs), attr=attributes, output_count=count)
        return list(node.output)


def handler(form: Form) -> Handler:
    """Return ``form`` as tf2onnx calls it."""

    def rewrite(graph: Any, node: Any, name: str, arguments: Any) -> None:
        call = Call(graph, node)
        results = form(call)
        results = [results] if isinstance(results, str) else list(results)
        outputs, dtypes, shapes = list(node.output), node.output_dtypes, node.output_shapes
        graph.remove_node(node.name)
        for result, output, dtype, shape in zip(results, outputs, dtypes, shapes, strict=False):
            graph.make_node("Identity", [result], outputs=[output], dtypes=[dtype], shapes=[shape])

    return rewrite
