"""Operators for ONNX' reference evaluator as older opsets define them: it has the newest form of each alone.

Public files are mostly of opsets 7 to 13, and a reference in which an operator means something else fails every export.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx.reference.op_run import OpRun
from onnx.reference.ops.op_batch_normalization import BatchNormalization_14
from onnx.reference.ops.op_resize import Resize as OwnResize

Array = npt.NDArray[Any]
_ALONG_ONE_AXIS = 13
"""From this opset on a Softmax is along one axis; before, along all from that one on, as one."""
_WITH_MODES = 11
"""From this opset on a Resize says which coordinates it means."""


def _opset(operator: OpRun) -> int:
    return int(operator.run_params["opsets"].get("", 1))


class BatchNormalization(BatchNormalization_14):
    """Below opset 14 the evaluator mixes the batch's own mean in; only a node with further outputs trains."""

    def _run(
        self, x: Array, scale: Array, bias: Array, mean: Array, var: Array, epsilon: float = 1e-5, **others: Any
    ) -> tuple[Array, ...]:
        if others.get("training_mode"):
            trained: tuple[Array, ...] = super()._run(x, scale, bias, mean, var, epsilon=epsilon, **others)
            return trained
        shape = [-1, *[1] * (x.ndim - 2)] if scale.ndim == 1 else scale.shape  # one for each element up to opset 8
        scale, bias, mean, var = (each.reshape(shape) for each in (scale, bias, mean, var))
        return ((scale * (x - mean) / np.sqrt(var + epsilon) + bias).astype(x.dtype),)


class _Normalising(OpRun):
    """What is computed along one axis, or, in older opsets, over all axes from one on."""

    def _run(self, x: Array, axis: int | None = None) -> tuple[Array]:
        if _opset(self) >= _ALONG_ONE_AXIS:
            return (self._along(x, -1 if axis is None else axis).astype(x.dtype),)
        says = any(attribute.name == "axis" for attribute in self.onnx_node.attribute)  # the evaluator fills in -1
        first = (axis if says and axis is not None else 1) % max(x.ndim, 1)
        rows = x.reshape(int(np.prod(x.shape[:first])), -1)
        return (self._along(rows, -1).reshape(x.shape).astype(x.dtype),)

    def _along(self, x: Array, axis: int) -> Array:
        raise NotImplementedError


class Softmax(_Normalising):
    def _along(self, x: Array, axis: int) -> Array:
        powers = np.exp(x - x.max(axis, keepdims=True, initial=-np.inf))
        shares: Array = powers / powers.sum(axis, keepdims=True)
        return shares


class LogSoftmax(_Normalising):
    def _along(self, x: Array, axis: int) -> Array:
        below = x - x.max(axis, keepdims=True, initial=-np.inf)
        logarithms: Array = below - np.log(np.exp(below).sum(axis, keepdims=True))
        return logarithms


class Hardmax(_Normalising):
    def _along(self, x: Array, axis: int) -> Array:
        found = np.zeros_like(x)
        if x.size:
            np.put_along_axis(found, np.expand_dims(x.argmax(axis), axis), 1, axis)
        return found


class Resize(OwnResize):
    """Opset 10 has scales as its second input, and counts from the corner: what ONNX Runtime calls asymmetric."""

    def _run(self, x: Array, *inputs: Array | None, mode: str = "nearest", **others: Any) -> tuple[Array]:
        if _opset(self) >= _WITH_MODES:
            newest: tuple[Array] = super()._run(x, *(inputs or (None,)), mode=mode, **others)
            return newest
        return _from_the_corner(super()._run, x, inputs[0], mode)


class Upsample(OwnResize):
    """A Resize from the corner; its scales are an attribute up to opset 8."""

    def _run(self, x: Array, *inputs: Array, mode: str = "nearest", **others: Any) -> tuple[Array]:
        return _from_the_corner(super()._run, x, inputs[0] if inputs else others["scales"], mode)


def _from_the_corner(resize: Any, x: Array, scales: Any, mode: str) -> tuple[Array]:
    factors = np.asarray(scales, np.float32)
    found: tuple[Array] = resize(
        x, None, factors, None, mode=mode, coordinate_transformation_mode="asymmetric",
        nearest_mode="floor" if (factors >= 1).all() else "ceil", exclude_outside=0, extrapolation_value=0.0,
    )  # fmt: skip
    return found
