"""Every family of operators, imported so that their functions are in the table."""

from isoform.hub.emitters.tf_ops import (
    activation,
    control,
    convolution,
    creation,
    deformable,
    detection,
    elementwise,
    integer,
    linear,
    moving,
    normalization,
    padding,
    pooling,
    quantization,
    recurrent,
    reduction,
    resize,
    sampling,
    selection,
    shaping,
    signal,
    slicing,
    text,
    traditional,
    trees,
    unpooling,
)

__all__ = [
    "activation", "control", "convolution", "creation", "deformable", "detection", "elementwise", "integer",
    "linear", "moving", "normalization", "padding", "pooling", "quantization", "recurrent", "reduction", "resize",
    "sampling", "selection", "shaping", "signal", "slicing", "text", "traditional", "trees", "unpooling",
]  # fmt: skip
