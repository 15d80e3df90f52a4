"""What a traced function has captured: variables and tensors, each by the placeholder that stands for it in the graph.

Not aware of what the function computes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from isoform.core.protocols import Array
from isoform.errors import IsoformError

LARGEST_CONSTANT_BYTES = 4096
"""A captured tensor up to this size is a constant of the graph: it may be a shape or an axis, which has to be known."""


@dataclass(frozen=True)
class Weight:
    """A variable or a large tensor outside of the graph.

    Attributes:
        name: what the initialiser is to be called.
        tensor: its value; shares the memory of the variable.
        is_variable: whether the graph holds a resource in its place, not a tensor.
    """

    name: str
    tensor: Any
    is_variable: bool

    @property
    def dtype(self) -> Any:
        return self.tensor.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    @property
    def size_bytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * int(self.dtype.size)

    def array(self) -> Array:
        """Return the value without copying it, as far as NumPy has its dtype."""
        try:
            return np.asarray(memoryview(self.tensor))
        except (BufferError, TypeError, ValueError):  # bfloat16 has no buffer format
            return np.asarray(self.tensor.numpy())


def captured(function: Any, names: Mapping[int, str]) -> tuple[dict[str, Weight], dict[str, Any]]:
    """Return the weights that ``function`` has captured and its small constant tensors, both by placeholder.

    Args:
        function: a ConcreteFunction.
        names: what a variable is called, by the id of its handle.

    Raises:
        IsoformError: it has captured a resource that is no variable, such as a lookup table.
    """
    known = {id(variable.handle): variable.name.removesuffix(":0") for variable in function.graph.variables}
    weights: dict[str, Weight] = {}
    constants: dict[str, Any] = {}
    for outside, placeholder in function.graph.captures:
        name = placeholder.op.name
        if outside.dtype == tf.resource:
            plain = names.get(id(outside)) or known.get(id(outside)) or name
            weights[name] = Weight(plain, _read(outside, plain), is_variable=True)
        elif outside.dtype == tf.variant:
            raise _unreadable(name, "a variant tensor")
        elif outside.dtype == tf.string or outside.shape.num_elements() * outside.dtype.size <= LARGEST_CONSTANT_BYTES:
            constants[name] = outside
        else:
            weights[name] = Weight(name, outside, is_variable=False)
    return weights, constants


def _read(handle: Any, name: str) -> Any:
    found = handle._handle_data  # the only place where TensorFlow keeps the dtype behind a handle
    if found is None or not found.is_set or len(found.shape_and_type) != 1:
        raise _unreadable(name, "a resource that is no variable")
    return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.as_dtype(found.shape_and_type[0].dtype))


def _unreadable(name: str, what: str) -> IsoformError:
    return IsoformError(
        f"The function holds '{name}', {what}: a lookup table, a generator or a dataset has no ONNX form.",
        "Leave text processing and random numbers outside: export the part that takes and returns numbers.",
        kind="captured-resource",
    )
