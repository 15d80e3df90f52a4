"""Every family of operators, imported so that their functions are in the table."""

from isoform.hub.emitters.tf_ops import (
    activation,
    control,
    convolution,
    elementwise,
    linear,
    moving,
    normalization,
    pooling,
    quantization,
    recurrent,
    reduction,
    resize,
    selection,
)

__all__ = [
    "activation", "control", "convolution", "elementwise", "linear", "moving", "normalization", "pooling",
    "quantization", "recurrent", "reduction", "resize", "selection",
]  # fmt: skip
