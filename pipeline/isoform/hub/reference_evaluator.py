"""ONNX' own reference evaluator, with operators put right that it gets wrong, slowly, or in their newest form only."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from onnx.reference.ops.op_loop import Loop as OwnLoop

from isoform.hub.reference_older import BatchNormalization, Hardmax, LogSoftmax, Resize, Softmax, Upsample
from isoform.hub.reference_windows import AveragePool, Conv, ConvTranspose, MaxPool

Array = npt.NDArray[Any]


class GatherElements(OpRun):
    """ONNX 1.22 picks with numpy.choose, which knows 32 choices, and wants indices that span the other axes."""

    def _run(self, data: Array, indices: Array, axis: int | None = None) -> tuple[Array]:
        axis = (axis or 0) % data.ndim
        others = tuple(slice(None) if place == axis else slice(size) for place, size in enumerate(indices.shape))
        counted = np.where(indices < 0, indices + data.shape[axis], indices).astype(np.int64)
        return (np.take_along_axis(data[others], counted, axis),)


class GlobalMaxPool(OpRun):
    """ONNX 1.22 takes the largest along the wrong axes where an input has not two of them beside batch and channels."""

    def _run(self, x: Array) -> tuple[Array]:
        return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)


class Loop(OwnLoop):
    """ONNX 1.22 joins what a body gives in each round along its first axis; the standard wants an axis of its own."""

    def _run(
        self, trips: Array | None, condition: Array | None, *carried: Array, context: dict[str, Array] | None = None,
        body: Any = None, attributes: Any = None, bindings: Any = None,
    ) -> tuple[Array, ...]:  # fmt: skip
        number, is_going, *names = self.body.input_names
        values = list(carried)
        rounds: list[list[Array]] = []
        goes_on = condition is None or bool(condition)
        while goes_on and (trips is None or len(rounds) < int(trips)):
            feeds = {**(context or {}), number: np.array(len(rounds), np.int64), is_going: np.array(True)}
            feeds |= dict(zip(names, values, strict=True))
            answer, *outputs = self._run_body(feeds, attributes=attributes, bindings=bindings)
            goes_on, values = bool(answer), outputs[: len(names)]
            rounds.append(outputs[len(names) :])
        stacked = [np.stack(column) for column in zip(*rounds, strict=True)] or [np.zeros(0)] * self.K
        found: tuple[Array, ...] = self._check_and_fix_outputs((*values, *stacked))
        return found


_PUT_RIGHT = (
    AveragePool, BatchNormalization, Conv, ConvTranspose, GatherElements, GlobalMaxPool, Hardmax, LogSoftmax, Loop,
    MaxPool, Resize, Softmax, Upsample,
)  # fmt: skip


def evaluator(model: onnx.ModelProto) -> ReferenceEvaluator:
    """Return the evaluator of ``model``."""
    return ReferenceEvaluator(model, new_ops=list(_PUT_RIGHT))
