"""Layers of numbers whose weights are integers: kernels that round what comes in to its own range, and multiply so."""

from dataclasses import dataclass, replace

import numpy as np

from isoform.hub.emitters.tflite_builder import Array, FlatFile, SubGraph, Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.quantized import Quantization, dequantizer, described

_VERSIONS = {Code.CONV_2D: 6, Code.DEPTHWISE_CONV_2D: 6, Code.FULLY_CONNECTED: 9}
_VERSION_OF_CHANNELS = 12
"""Of FULLY_CONNECTED with one scale for each unit."""


@dataclass(frozen=True)
class Kernel:
    """A constant matrix [rows, features]: numbers, or integers with one scale for all or one for each row."""

    array: Array
    quantization: Quantization | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def split(self, row: int) -> list["Kernel"]:
        """Return what stands above a row and what from there on."""
        found = self.quantization
        parts = np.split(self.array, [row])
        if found is None or found.axis is None:
            return [Kernel(part, found) for part in parts]
        rows = zip(np.split(found.scale, [row]), np.split(found.zero_point, [row]), strict=True)
        return [
            Kernel(part, replace(found, scale=scale, zero_point=zero))
            for part, (scale, zero) in zip(parts, rows, strict=True)
        ]

    def tensor(self, graph: SubGraph) -> Tensor:
        return graph.constant(self.array, "kernel", self.quantization)


def kernel_of(call: Call, index: int, place: int) -> Kernel | None:
    """Return one direction of a recurrent layer's weight [directions, rows, features]; None where it is computed."""
    array = call.array(index)
    if array is not None:
        return Kernel(array[place])
    maker = dequantizer(call.node.inputs[index])
    found, stored = described(maker), constant(maker.inputs[0]) if maker is not None else None
    if found is None or stored is None or found.dtype != "int8" or found.axis not in (None, 1):
        return None
    return None if found.zero_point.any() else Kernel(stored[place], found.moved(0))


def require_hybrid(file: FlatFile, code: int, weight: Tensor) -> bool:
    """Return whether a layer of numbers reads a weight of integers; the file then asks for kernels that do so."""
    if weight.dtype != "int8":
        return False
    is_per_channel = weight.quantization is not None and weight.quantization.axis is not None
    is_wide = is_per_channel and code == Code.FULLY_CONNECTED
    file.require_version(code, _VERSION_OF_CHANNELS if is_wide else _VERSIONS[code])
    return True
