"""ONNX' own reference evaluator, with operators that it gets wrong, or slowly, put right."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from isoform.hub.reference_windows import AveragePool, Conv, ConvTranspose, MaxPool

Array = npt.NDArray[Any]


class GatherElements(OpRun):
    """ONNX 1.22 picks with numpy.choose, which knows 32 choices, and wants indices that span the other axes."""

    def _run(self, data: Array, indices: Array, axis: int | None = None) -> tuple[Array]:
        axis = (axis or 0) % data.ndim
        others = tuple(slice(None) if place == axis else slice(size) for place, size in enumerate(indices.shape))
        counted = np.where(indices < 0, indices + data.shape[axis], indices).astype(np.int64)
        return (np.take_along_axis(data[others], counted, axis),)


def evaluator(model: onnx.ModelProto) -> ReferenceEvaluator:
    """Return the evaluator of ``model``."""
    return ReferenceEvaluator(model, new_ops=[GatherElements, Conv, ConvTranspose, MaxPool, AveragePool])
