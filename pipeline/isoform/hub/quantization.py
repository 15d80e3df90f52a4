"""What integers stand for: scale and zero point, of a whole tensor or of each channel. Not aware of graphs or files."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Quantization:
    """The number of an integer q is ``scale * (q - zero_point)``.

    Attributes:
        scale, zero_point: float32 and int64, of shape () or [channels].
        axis: of the channels; None where there is one scale.
    """

    scale: npt.NDArray[np.float32]
    zero_point: npt.NDArray[np.int64]
    dtype: str
    axis: int | None = None

    @property
    def step(self) -> float:
        """The scale of a whole tensor."""
        return float(self.scale)

    @property
    def zero(self) -> int:
        """The zero point of a whole tensor."""
        return int(self.zero_point)

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        limits = np.iinfo(np.dtype(self.dtype))
        return int(limits.min), int(limits.max)

    def same_as(self, other: "Quantization | None") -> bool:
        """Return whether equal integers stand for equal numbers."""
        return (
            other is not None
            and (self.dtype, self.axis) == (other.dtype, other.axis)
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )

    def integer(self, number: float) -> int:
        """Return the integer that a number becomes, as QuantizeLinear has it; for one scale."""
        low, high = self.bounds
        units = np.float32(number) / self.scale
        return (
            int(np.clip(np.round(units) + self.zero, low, high)) if np.isfinite(units) else low if units < 0 else high
        )

    def numbers(self, integers: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return what an array of integers stands for, as DequantizeLinear computes it; its axes those of `axis`."""
        shape = [-1 if place == self.axis else 1 for place in range(integers.ndim)] if self.axis is not None else []
        whole = (integers.astype(np.int64) - self.zero_point.reshape(shape)).astype(np.float32)
        return np.asarray(whole * self.scale.reshape(shape))

    def moved(self, axis: int | None) -> "Quantization":
        """Return the same with its channels on another axis."""
        return Quantization(self.scale, self.zero_point, self.dtype, None if self.axis is None else axis)
