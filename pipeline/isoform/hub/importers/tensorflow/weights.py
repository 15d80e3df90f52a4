"""What a traced function has captured: variables and tensors, each by the placeholder that stands for it in the graph.

Not aware of what the function computes.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from isoform.core.protocols import Array
from isoform.errors import UnsupportedOperator
from isoform.hub.importers.tensorflow.stored import Stored

LARGEST_CONSTANT_BYTES = 4096
"""A captured tensor up to this size is a constant of the graph: it may be a shape or an axis, which has to be known."""
_PASSING = ("Identity", "NoOp")


@dataclass(frozen=True)
class Weight:
    """A variable or a large tensor outside of the graph.

    Attributes:
        name: what the initialiser is to be called.
        dtype: TensorFlow's.
        read: gives its value, a tensor: that shares the memory of the variable, or is read from a checkpoint now.
        is_variable: whether the graph holds a resource in its place, not a tensor.
    """

    name: str
    dtype: Any
    shape: tuple[int, ...]
    read: Callable[[], Any]
    is_variable: bool

    @property
    def size_bytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * int(self.dtype.size)

    def array(self) -> Array:
        """Return the value without copying it, as far as NumPy has its dtype."""
        tensor = self.read()
        try:
            return np.asarray(memoryview(tensor))
        except (BufferError, TypeError, ValueError):  # bfloat16 has no buffer format
            return np.asarray(tensor.numpy())


def of_tensor(name: str, tensor: Any, *, is_variable: bool = False) -> Weight:
    """Return a weight whose value is there."""
    return Weight(name, tensor.dtype, tuple(tensor.shape), lambda: tensor, is_variable)


def captured(
    function: Any, names: Mapping[int, str], stored: Mapping[int, Stored]
) -> tuple[dict[str, Weight], dict[str, Any], set[str]]:
    """Return the weights that ``function`` has captured, its small constants, and what is neither, by placeholder.

    Args:
        function: a ConcreteFunction.
        names: what a variable is called, by the id of its handle.
        stored: the values of variables that hold none, by the id of the handle.
    """
    known = {id(variable.handle): variable.name.removesuffix(":0") for variable in function.graph.variables}
    weights: dict[str, Weight] = {}
    constants: dict[str, Any] = {}
    others: set[str] = set()
    for outside, placeholder in function.graph.captures:
        name = placeholder.op.name
        plain = names.get(id(outside)) or known.get(id(outside)) or name
        if (value := stored.get(id(outside))) is not None:
            weights[name] = Weight(plain, value.dtype, value.shape, value.read, is_variable=True)
        elif outside.dtype == tf.resource and (held := _read(outside)) is not None:
            weights[name] = of_tensor(plain, held, is_variable=True)
        elif outside.dtype in (tf.resource, tf.variant):
            others.add(name)
        elif outside.dtype == tf.string or outside.shape.num_elements() * outside.dtype.size <= LARGEST_CONSTANT_BYTES:
            constants[name] = outside
        else:
            weights[name] = of_tensor(name, outside)
    return weights, constants, others


def refuse_resources(graph: graph_pb2.GraphDef, others: Collection[str]) -> None:
    """Refuse a graph that uses a lookup table, a generator or a dataset, by the nodes that do.

    Raises:
        UnsupportedOperator: there are such nodes.
    """
    taken = set(others)
    found = []
    for _ in range(2):  # resources go through Identities, which may stand anywhere
        users = [node for node in graph.node if any(_source(name) in taken for name in node.input)]
        taken |= {node.name for node in users if node.op in _PASSING}
        found = [f"'{node.op}' (node {node.name}, on a captured resource)" for node in users if node.op not in _PASSING]
    if found:
        raise UnsupportedOperator.of(found, "onnx")


def _source(name: str) -> str:
    return name.removeprefix("^").partition(":")[0]


def _read(handle: Any) -> Any:
    """Return the value of the variable behind ``handle``; None if it is no variable."""
    found = handle._handle_data  # the only place where TensorFlow keeps the dtype behind a handle
    if found is None or not found.is_set or len(found.shape_and_type) != 1:
        return None
    return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.as_dtype(found.shape_and_type[0].dtype))
