"""Give back batch normalisation, which TensorFlow spells out.

Run on a graph fresh from tf2onnx, before weights are folded, so that a layer's own parameters stay as they are. Not
aware of layouts beyond the one axis that TensorFlow normalises, the last.
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.producers import both_orders, producer

Found: TypeAlias = tuple[ir.Value, list[ir.Value | None], float]


def restore_batch_normalization(model: ir.Model) -> None:
    """Replace ``x * (g / sqrt(v + e)) + (b - m * g / sqrt(v + e))`` by BatchNormalization, channels moved to axis 1."""
    for node in list(model.graph):
        found = _batch_normalization(node)
        if found is not None:
            _put_batch_normalization(model.graph, node, *found)


def _batch_normalization(node: ir.Node) -> Found | None:
    """Return x, [scale, bias, mean, variance] and epsilon if ``node`` is the last Add of the idiom."""
    for product, shift in both_orders(node, "Add"):
        for bias, mean, same in _shift(shift):
            for x, scale in both_orders(producer(product, "Mul"), "Mul"):
                inverse = _inverse_deviation(scale) if same is scale else None
                if inverse is not None and x is not None and mean is not None:
                    gamma, variance, epsilon = inverse
                    return x, [gamma, bias, mean, variance], epsilon
    return None


def _shift(value: ir.Value | None) -> Iterator[tuple[ir.Value | None, ir.Value | None, ir.Value | None]]:
    """Yield b, m and s of ``b - m * s``, or None, m and s of ``-m * s``, which is all there is without a bias."""
    parts = producer(value, "Sub")
    if parts is not None:
        yield from (
            (parts.inputs[0], mean, scale) for mean, scale in both_orders(producer(parts.inputs[1], "Mul"), "Mul")
        )
    for negative, scale in both_orders(producer(value, "Mul"), "Mul"):
        negation = producer(negative, "Neg")
        if negation is not None:
            yield None, negation.inputs[0], scale


def _inverse_deviation(scale: ir.Value | None) -> tuple[ir.Value | None, ir.Value, float] | None:
    """Return gamma, variance and epsilon of ``gamma / sqrt(variance + epsilon)``; gamma is None where it is 1."""
    pairs: list[tuple[ir.Value | None, ir.Value | None]] = [*both_orders(producer(scale, "Mul"), "Mul"), (scale, None)]
    for inverse, gamma in pairs:
        reciprocal = producer(inverse, "Reciprocal")
        root = producer(reciprocal.inputs[0], "Sqrt") if reciprocal else None
        for variance, epsilon in both_orders(producer(root.inputs[0], "Add") if root else None, "Add"):
            number = constant(epsilon)
            if number is not None and number.size == 1 and variance is not None:
                return gamma, variance, float(number.ravel()[0])
    return None


def _put_batch_normalization(
    graph: ir.Graph, node: ir.Node, x: ir.Value, parameters: list[ir.Value | None], epsilon: float
) -> None:
    mean = _vector(parameters[2])
    if x.shape is None or mean is None or mean.shape is None or mean.dtype is None:
        return
    vectors = [
        _vector(value) if value is not None else _filled(graph, node, mean, number)
        for value, number in zip(parameters, (1, 0, 0, 0), strict=True)
    ]
    if None in vectors:
        return
    rank = len(x.shape)
    attributes = {"epsilon": epsilon}
    if rank == 2:
        whole = ir.node("BatchNormalization", [x, *vectors], attributes)
        nodes = [whole]
    elif rank > 2:
        inwards = ir.node("Transpose", [x], {"perm": [0, rank - 1, *range(1, rank - 1)]})
        whole = ir.node("BatchNormalization", [inwards.outputs[0], *vectors], attributes)
        outwards = ir.node("Transpose", [whole.outputs[0]], {"perm": [0, *range(2, rank), 1]})
        nodes = [inwards, whole, outwards]
    else:
        return
    ir.convenience.replace_nodes_and_values(graph, node, [node], nodes, node.outputs, nodes[-1].outputs)


def _filled(graph: ir.Graph, node: ir.Node, like: ir.Value, number: int) -> ir.Value | None:
    """Return what stands for a scale of 1 or a bias of 0."""
    if like.shape is None or like.dtype is None or not isinstance(like.shape[0], int):
        return None
    return initializer(graph, f"{node.outputs[0].name}/{number}", np.full(like.shape[0], number, like.dtype.numpy()))


def _vector(value: ir.Value | None) -> ir.Value | None:
    """Return a parameter of one axis, which Keras reshapes to [1, ..., 1, channels] where it is told the axis."""
    if value is None or value.shape is None or len(value.shape) == 1:
        return value if value is not None and value.shape is not None else None
    before = producer(value, "Reshape")
    vector = before.inputs[0] if before else None
    if vector is None or vector.shape is None or value.shape is None or len(vector.shape) != 1:
        return None
    return vector if list(value.shape)[-1] == vector.shape[0] else None
