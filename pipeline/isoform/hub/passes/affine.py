"""What a graph does to each channel by a factor and a summand: batch normalisation, or Mul and Add with constants.

Factors and summands of one element are none: they scale a tensor, not its channels.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.linear_layer import is_private

_DEFAULT_EPSILON = 1e-5
_FACTORS, _SUMMANDS = {"Mul": 1.0, "Div": -1.0}, {"Add": 1.0, "Sub": -1.0}


@dataclass(frozen=True)
class Affine:
    """``y = x * scale + shift`` for each channel, in float64.

    Attributes:
        scale, shift: [channels]; None for a factor of 1 and a summand of 0.
        nodes: those that compute it, in order; ``x`` is the first input of the first or its second.
    """

    x: ir.Value
    scale: Array | None
    shift: Array | None
    nodes: tuple[ir.Node, ...]

    @property
    def result(self) -> ir.Value:
        return self.nodes[-1].outputs[0]


def affine_after(x: ir.Value, axis: int, rank: int, channels: int) -> Affine | None:
    """Return what is all that reads ``x``, whose channels stand on ``axis`` of ``rank``; None if that is not affine."""
    node = _reader(x)
    if node is None:
        return None
    if node.op_type == "BatchNormalization":
        return _batch_norm(node) if node.inputs[0] is x and _axis(node, rank) == axis else None
    scale = _operand(node, x, _FACTORS, axis, rank, channels)
    if scale is None:
        shift = _operand(node, x, _SUMMANDS, axis, rank, channels)
        return None if shift is None else Affine(x, None, shift, (node,))
    after = _reader(node.outputs[0])
    shift = None if after is None else _operand(after, node.outputs[0], _SUMMANDS, axis, rank, channels)
    return Affine(x, scale, shift, (node,) if shift is None or after is None else (node, after))


def affine_before(y: ir.Value, axis: int, rank: int, channels: int) -> Affine | None:
    """Return what gives ``y`` and nothing else; None if that is not affine."""
    node = y.producer()
    if node is None or y.is_graph_output():
        return None
    if node.op_type == "BatchNormalization":
        return _batch_norm(node) if _axis(node, rank) == axis else None
    for x in (value for value in node.inputs if value is not None):
        scale = _operand(node, x, _FACTORS, axis, rank, channels)
        if scale is not None:
            return Affine(x, scale, None, (node,))
        shift = _operand(node, x, _SUMMANDS, axis, rank, channels)
        if shift is not None:
            inner = affine_before(x, axis, rank, channels) if is_private(x) else None
            if inner is None or inner.shift is not None:
                return Affine(x, None, shift, (node,))
            return Affine(inner.x, inner.scale, shift, (*inner.nodes, node))
    return None


def _reader(value: ir.Value) -> ir.Node | None:
    """Return the node that is all that reads ``value``, in the same graph."""
    if not is_private(value):
        return None
    ((node, _),) = value.uses()
    producer = value.producer()
    return node if producer is None or node.graph is producer.graph else None


def _batch_norm(node: ir.Node) -> Affine | None:
    parameters = [constant(value) for value in node.inputs[1:5]]
    is_training = "training_mode" in node.attributes and node.attributes["training_mode"].as_int()
    x = node.inputs[0]
    if x is None or is_training or any(value is None for value in parameters):
        return None
    gamma, beta, mean, variance = (np.asarray(value, np.float64) for value in parameters)
    epsilon = node.attributes["epsilon"].as_float() if "epsilon" in node.attributes else _DEFAULT_EPSILON
    scale = gamma / np.sqrt(variance + epsilon)
    return Affine(x, scale, beta - mean * scale, (node,))


def _axis(node: ir.Node, rank: int) -> int:
    return rank - 1 if node.domain == CHANNELS_LAST_DOMAIN else 1


def _operand(node: ir.Node, x: ir.Value, kinds: dict[str, float], axis: int, rank: int, channels: int) -> Array | None:
    """Return the factor or summand of ``x`` in ``node`` [channels]; None where it is another operator or operand."""
    if node.op_type not in kinds or x not in node.inputs:
        return None
    sign = kinds[node.op_type]
    other = node.inputs[1 if node.inputs[0] is x else 0]
    array = constant(other)
    if array is None or array.dtype.kind != "f" or (sign < 0 and node.inputs[0] is not x):
        return None
    place = axis - (rank - array.ndim)  # shapes are aligned at their ends
    if channels < 2 or array.size != channels or place < 0 or array.shape[place] != channels:
        return None
    vector = array.reshape(-1).astype(np.float64)
    if kinds is _SUMMANDS:
        return vector * sign
    return vector if sign > 0 else 1 / vector
