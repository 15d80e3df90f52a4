"""Give back batch normalisation, which TensorFlow spells out.

Run on a graph fresh from tf2onnx, before weights are folded, so that a layer's own parameters stay as they are. Not
aware of layouts beyond the one axis that TensorFlow normalises, the last.
"""

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.producers import both_orders, producer


def restore_batch_normalization(model: ir.Model) -> None:
    """Replace ``x * (g / sqrt(v + e)) + (b - m * g / sqrt(v + e))`` by BatchNormalization, channels moved to axis 1."""
    for node in list(model.graph):
        found = _batch_normalization(node)
        if found is not None:
            _put_batch_normalization(model.graph, node, *found)


def _batch_normalization(node: ir.Node) -> tuple[ir.Value, list[ir.Value], float] | None:
    """Return x, [scale, bias, mean, variance] and epsilon if ``node`` is the last Add of the idiom."""
    for product, shift in both_orders(node, "Add"):
        parts = producer(shift, "Sub")
        if parts is None:
            continue
        bias, product_of_mean = parts.inputs
        for x, scale in both_orders(producer(product, "Mul"), "Mul"):
            for mean, same in both_orders(producer(product_of_mean, "Mul"), "Mul"):
                inverse = _inverse_deviation(scale) if same is scale else None
                if inverse is not None and None not in (x, bias, mean):
                    gamma, variance, epsilon = inverse
                    return x, [gamma, bias, mean, variance], epsilon
    return None


def _inverse_deviation(scale: ir.Value | None) -> tuple[ir.Value, ir.Value, float] | None:
    """Return gamma, variance and epsilon of ``gamma / sqrt(variance + epsilon)``."""
    for inverse, gamma in both_orders(producer(scale, "Mul"), "Mul"):
        reciprocal = producer(inverse, "Reciprocal")
        root = producer(reciprocal.inputs[0], "Sqrt") if reciprocal else None
        for variance, epsilon in both_orders(producer(root.inputs[0], "Add") if root else None, "Add"):
            number = constant(epsilon)
            if number is not None and number.size == 1 and gamma is not None and variance is not None:
                return gamma, variance, float(number.ravel()[0])
    return None


def _put_batch_normalization(
    graph: ir.Graph, node: ir.Node, x: ir.Value, parameters: list[ir.Value], epsilon: float
) -> None:
    vectors = [_vector(value) for value in parameters]
    if x.shape is None or None in vectors:
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


def _vector(value: ir.Value) -> ir.Value | None:
    """Return a parameter of one axis, which Keras reshapes to [1, ..., 1, channels] where it is told the axis."""
    if value.shape is not None and len(value.shape) == 1:
        return value
    before = producer(value, "Reshape")
    vector = before.inputs[0] if before else None
    if vector is None or vector.shape is None or value.shape is None or len(vector.shape) != 1:
        return None
    return vector if list(value.shape)[-1] == vector.shape[0] else None
