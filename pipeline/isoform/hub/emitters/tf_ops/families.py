"""Every family of operators, imported so that their functions are in the table."""

from isoform.hub.emitters.tf_ops import (
    activation,
    convolution,
    elementwise,
    linear,
    moving,
    normalization,
    pooling,
    recurrent,
    reduction,
    selection,
)

__all__ = [
    "activation", "convolution", "elementwise", "linear", "moving", "normalization", "pooling", "recurrent",
    "reduction", "selection",
]  # fmt: skip
