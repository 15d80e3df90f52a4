"""Every family of operators, imported so that their functions are in the table."""

from isoform.hub.emitters.tf_ops import (
    activation,
    control,
    convolution,
    creation,
    elementwise,
    linear,
    moving,
    normalization,
    padding,
    pooling,
    quantization,
    recurrent,
    reduction,
    resize,
    selection,
    shaping,
    slicing,
)

__all__ = [
    "activation", "control", "convolution", "creation", "elementwise", "linear", "moving", "normalization", "padding",
    "pooling", "quantization", "recurrent", "reduction", "resize", "selection", "shaping", "slicing",
]  # fmt: skip
