"""How handlers are written: one function an operator, which rewrites a node of tf2onnx' graph.

A handler takes a `Call`, makes nodes with it and returns the name of what replaces the node's outputs: None for one
that nothing reads. What it has no form for it says with `NoForm`, and the node stays.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tf2onnx

from isoform.core.protocols import Array

Form = Callable[["Call"], str | Sequence[str | None]]
Handler = Callable[[Any, Any, str, Any], None]
REASON = "isoform_reason"
"""The attribute of a node that stays, in which it says why."""


class NoForm(Exception):
    """A node of this kind has no form in ONNX; the text says of what kind it is, after its operator's name."""


class Call:
    """One node of tf2onnx' graph that is being replaced."""

    def __init__(self, graph: Any, node: Any) -> None:
        self.graph = graph
        self.node = node
        self.inputs: list[str] = list(node.input)

    @property
    def dtype(self) -> Any:
        """The NumPy dtype of the first input."""
        return self.dtype_of(self.inputs[0])

    def dtype_of(self, name: str) -> Any:
        """Return the NumPy dtype of a tensor."""
        return tf2onnx.utils.map_onnx_to_numpy_type(self.graph.get_dtype(name))

    def shape(self, name: str) -> list[int] | None:
        """Return the sizes of a tensor, -1 where unknown; None if not even their number is known."""
        return self.graph.get_shape(name)

    def attribute(self, name: str) -> Any:
        return self.node.get_attr_value(name)

    def known(self, index: int) -> Array | None:
        """Return the value of an input that is a constant."""
        node = self.node.inputs[index]
        return np.asarray(node.get_tensor_value(as_list=False)) if node.is_const() else None

    def readers(self, index: int) -> list[Any]:
        """Return the nodes that read an output; those behind this one are TensorFlow's still."""
        return list(self.graph.find_output_consumers(self.node.output[index]))

    def is_output(self, index: int) -> bool:
        """Return whether an output is one of the whole graph."""
        return self.node.output[index] in self.graph.outputs

    def constant(self, value: Any, dtype: Any = None) -> str:
        array = np.asarray(value, self.dtype if dtype is None else dtype)
        return str(self.graph.make_const(tf2onnx.utils.make_name(self.node.name), array).output[0])

    def make(self, op_type: str, inputs: Sequence[str], count: int = 1, **attributes: Any) -> str:
        """Return the first output of a new node."""
        return self.many(op_type, inputs, count, **attributes)[0]

    def many(self, op_type: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        name = tf2onnx.utils.make_name(self.node.name)
        node = self.graph.make_node(op_type, list(inputs), attr=attributes, output_count=count, name=name)
        return list(node.output)

    def scan(
        self, body: Callable[..., Sequence[str]], states: Sequence[str], elements: str, shapes: Sequence[Sequence[int]],
        count: int,
    ) -> list[str]:  # fmt: skip
        """Return what a Scan over the first axis of ``elements`` gives of each step, ``count`` tensors.

        Args:
            body: given a `Call` that makes nodes inside, the states before a step and the element that it reads,
                returns the states after it, then what it gives; of the dtype of ``elements``.
            shapes: of the states, then of one element; -1 for sizes that are not known.
        """
        inner = self.graph.create_new_graph_with_same_config()
        inner.parent_graph = self.graph
        dtype = self.graph.get_dtype(elements)
        names = [tf2onnx.utils.make_name(f"{self.node.name}_step") for _ in shapes]
        for name, shape in zip(names, shapes, strict=True):
            inner.add_graph_input(name, dtype, list(shape))
        inside = Call(inner, self.node)
        for place, result in enumerate(body(inside, *names)):
            own = inside.make("Identity", [result])  # an output of its own for each, where one is given twice
            inner.add_graph_output(own, dtype, list(shapes[min(place, len(states) - 1)]))
        node = self.graph.make_node(
            "Scan", [*states, elements], attr={"num_scan_inputs": 1}, output_count=len(states) + count,
            branches={"body": inner}, infer_shape_dtype=False,
        )  # fmt: skip
        for output in node.output:
            self.graph.set_dtype(output, dtype)
        return list(node.output[len(states) :])


def handler(form: Form) -> Handler:
    """Return ``form`` as tf2onnx calls it."""

    def rewrite(graph: Any, node: Any, name: str, arguments: Any) -> None:
        call = Call(graph, node)
        try:
            results = form(call)
        except NoForm as error:
            node.set_attr(REASON, str(error))
            return
        results = [results] if isinstance(results, str) else list(results)
        outputs, dtypes, shapes = list(node.output), node.output_dtypes, node.output_shapes
        graph.remove_node(node.name)
        for result, output, dtype, shape in zip(results, outputs, dtypes, shapes, strict=False):
            if result is None:
                continue
            graph.make_node("Identity", [result], outputs=[output], dtypes=[dtype], shapes=[shape])

    return rewrite
