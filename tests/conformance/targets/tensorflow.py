"""The tf.function that hub.to_tensorflow gives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import tensorflow as tf

from isoform import hub


def prepare(model: onnx.ModelProto, inputs: list[Any]) -> Callable[[list[Any]], list[Any]]:
    """Return ``serve`` as a function of arrays."""
    serve = hub.to_tensorflow(model).serve
    return lambda given: [array(each) for each in serve(*map(tensor, given))]


def tensor(value: Any) -> Any:
    """Return a test value as TensorFlow has it."""
    if value is None or isinstance(value, list):
        return None if value is None else [tensor(each) for each in value]
    return tf.constant(value.astype(object) if value.dtype.kind == "U" else value)


def array(value: Any) -> Any:
    """Return what a tf.function gave as arrays."""
    if value is None or isinstance(value, (list, tuple)):
        return None if value is None else [array(each) for each in value]
    return np.asarray(value.numpy())
