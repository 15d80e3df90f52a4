"""Values that are no single tensor: sequences of tensors, and what may be missing; and how control flow carries them.

A sequence is TensorFlow's tensor list, one scalar variant, so that it passes through branches and loops. Not aware of
operators, nor of what a signature shows of such a value (interface.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

_UNKNOWN = -1
"""How TensorFlow's list operators are told that nothing is known of an element's shape."""


@dataclass(frozen=True)
class TensorSequence:
    """Tensors of one dtype, whose shapes may differ.

    Attributes:
        element_shape: what all elements have in common; None while there has been no element.
    """

    handle: Any
    dtype: Any
    element_shape: tf.TensorShape | None = None

    def at(self, index: Any) -> Any:
        """Return the element at an index from 0 on."""
        element = tf.raw_ops.TensorListGetItem(
            input_handle=self.handle, index=index, element_shape=_UNKNOWN, element_dtype=self.dtype
        )
        element.set_shape(self.element_shape if self.element_shape is not None else tf.TensorShape(None))
        return element

    def with_last(self, element: Any) -> "TensorSequence":
        handle = tf.raw_ops.TensorListPushBack(input_handle=self.handle, tensor=element)
        return TensorSequence(handle, self.dtype, common_shape(self.element_shape, element.shape))

    def length(self) -> Any:
        return tf.raw_ops.TensorListLength(input_handle=self.handle)

    def picked(self, order: Any) -> "TensorSequence":
        """Return the elements that ``order``, int32 indices, names."""
        count = tf.shape(order)[0]
        start = empty(self.dtype).handle

        def step(position: Any, handle: Any) -> Any:
            return position + 1, tf.raw_ops.TensorListPushBack(input_handle=handle, tensor=self.at(order[position]))

        handle = tf.while_loop(lambda position, _: position < count, step, (0, start))[1]
        return TensorSequence(handle, self.dtype, self.element_shape)


@dataclass(frozen=True)
class Optional:
    """A value that may be missing; ``value`` is then any of its type.

    Attributes:
        is_there: a boolean scalar.
    """

    is_there: Any
    value: Any


def empty(dtype: Any, element_shape: tf.TensorShape | None = None) -> TensorSequence:
    handle = tf.raw_ops.EmptyTensorList(element_shape=_UNKNOWN, max_num_elements=-1, element_dtype=dtype)
    return TensorSequence(handle, dtype, element_shape)


def common_shape(one: tf.TensorShape | None, other: tf.TensorShape | None) -> tf.TensorShape | None:
    """Return the narrowest shape that both have; None stands for no element so far."""
    if one is None or other is None:
        return other if one is None else one
    return one.most_specific_compatible_shape(other)


def parts(values: Sequence[Any]) -> list[Any]:
    """Return the tensors that values consist of, in order."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, TensorSequence):
            found.append(value.handle)
        elif isinstance(value, Optional):
            found.extend([value.is_there, *parts([value.value])])
        else:
            found.append(value)
    return found


def rebuilt(values: Sequence[Any], tensors: Sequence[Any]) -> list[Any]:
    """Return values like ``values`` that consist of other tensors."""
    rest = list(tensors)

    def one(value: Any) -> Any:
        if isinstance(value, TensorSequence):
            return TensorSequence(rest.pop(0), value.dtype, value.element_shape)
        if isinstance(value, Optional):
            return Optional(rest.pop(0), one(value.value))
        return rest.pop(0)

    return [one(value) for value in values]


def joined(value: Any, other: Any) -> Any:
    """Return ``value`` as general as it has to be to stand for ``other`` as well, whichever way control flows."""
    if isinstance(value, Optional) or isinstance(other, Optional):
        first, second = as_optional(value), as_optional(other)
        return Optional(first.is_there, joined(first.value, second.value))
    if isinstance(value, TensorSequence):
        return TensorSequence(value.handle, value.dtype, common_shape(value.element_shape, other.element_shape))
    return value


def as_optional(value: Any) -> Optional:
    return value if isinstance(value, Optional) else Optional(tf.constant(True), value)


def shaped_like(value: Any, model: Any) -> Any:
    """Return ``value`` in the form of ``model``: as an optional where that is one."""
    return as_optional(value) if isinstance(model, Optional) else value
