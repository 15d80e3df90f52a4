"""Give back layer normalisation, over the last axes, which Keras always and PyTorch below opset 17 spells out.

TensorFlow writes ``x r + (b - m r)`` with ``r = g / sqrt(v + e)``, PyTorch ``(x - m) / sqrt(v + e) * g + b``. Without
a mean it is the normalisation by the root of the mean square, for targets that carry that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.arrange_weight import arranged
from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.moments import Inverse, deviation, inverse_deviation
from isoform.hub.passes.producers import both_orders, producer

LAYER_OPSET, ROOT_OPSET = 17, 23


@dataclass(frozen=True)
class Normalized:
    """``(x - m) / sqrt(v + epsilon) * scale + bias``; scale and bias are constants or absent."""

    inverse: Inverse
    scale: ir.Value | None
    bias: ir.Value | None


def restore_layer_normalization(model: ir.Model, has_root_mean_square: bool = False) -> None:
    """Replace the idiom in place, and what only it read goes; new nodes carry the opset that has the operator.

    Args:
        has_root_mean_square: whether RMSNormalization, of opset 23, is wanted as well.
    """
    for node in reversed(list(model.graph)):  # with its scale and bias before without
        if node.graph is not model.graph or node.domain != "" or node.op_type not in ("Add", "Div", "Mul", "Sub"):
            continue
        for found in _readings(node):
            if (found.inverse.mean is not None or has_root_mean_square) and _put(model.graph, node, found):
                break


def _readings(node: ir.Node) -> Iterator[Normalized]:
    result = node.outputs[0]
    yield from _factored(result)
    for value, bias in both_orders(node, "Add"):
        if constant(bias) is not None:
            for found in _scaled(value):
                yield Normalized(found.inverse, found.scale, bias)
    yield from _scaled(result)


def _factored(result: ir.Value) -> Iterator[Normalized]:
    """Yield the reading of ``x r + (b - m r)``, r the scale over the deviation."""
    for product, shift in [*both_orders(producer(result, "Add"), "Add")]:
        for x, factor in both_orders(producer(product, "Mul"), "Mul"):
            for inverse, scale in _inverses(factor):
                if inverse.x is not x or inverse.mean is None:
                    continue
                for bias in _shifts(shift, inverse.mean, factor):
                    yield Normalized(inverse, scale, bias)
    difference = producer(result, "Sub")  # without a bias: x r - m r
    for x, factor in both_orders(producer(difference.inputs[0], "Mul") if difference else None, "Mul"):
        for inverse, scale in _inverses(factor):
            if difference is not None and inverse.x is x and _is_product(difference.inputs[1], inverse.mean, factor):
                yield Normalized(inverse, scale, None)


def _shifts(shift: ir.Value | None, mean: ir.Value, factor: ir.Value | None) -> Iterator[ir.Value | None]:
    """Yield b of ``b - m r`` in the forms that it is written in; None where there is no b."""
    difference = producer(shift, "Sub")
    if difference is not None and _is_product(difference.inputs[1], mean, factor):
        yield difference.inputs[0]
    for bias, product in both_orders(producer(shift, "Add"), "Add"):
        if _is_negative_product(product, mean, factor):
            yield bias
    if _is_negative_product(shift, mean, factor):
        yield None


def _is_product(value: ir.Value | None, mean: ir.Value | None, factor: ir.Value | None) -> bool:
    return any(pair == (mean, factor) for pair in both_orders(producer(value, "Mul"), "Mul"))


def _is_negative_product(value: ir.Value | None, mean: ir.Value, factor: ir.Value | None) -> bool:
    for negative, other in both_orders(producer(value, "Mul"), "Mul"):
        negation = producer(negative, "Neg")
        if other is factor and negation is not None and negation.inputs[0] is mean:
            return True
    return False


def _inverses(factor: ir.Value | None) -> Iterator[tuple[Inverse, ir.Value | None]]:
    """Yield the inverse deviation and the scale of what may be their product."""
    plain = inverse_deviation(factor)
    if plain is not None:
        yield plain, None
    for inner, scale in both_orders(producer(factor, "Mul"), "Mul"):
        inverse = inverse_deviation(inner)
        if inverse is not None and constant(scale) is not None:
            yield inverse, scale


def _scaled(value: ir.Value | None) -> Iterator[Normalized]:
    """Yield the reading of ``(x - m) / sqrt(v + e) * g``, with and without g."""
    for inner, scale in both_orders(producer(value, "Mul"), "Mul"):
        inverse = _quotient(inner) if constant(scale) is not None else None
        if inverse is not None:
            yield Normalized(inverse, scale, None)
        for found, factor in _inverses(scale):
            if factor is not None and _is_centred(inner, found):
                yield Normalized(found, factor, None)
    inverse = _quotient(value)
    if inverse is not None:
        yield Normalized(inverse, None, None)


def _quotient(value: ir.Value | None) -> Inverse | None:
    """Return x, m and v of ``(x - m) / sqrt(v + e)``, or of ``x / sqrt(v + e)`` where v is the mean square."""
    division = producer(value, "Div")
    found = deviation(division.inputs[1]) if division is not None else None
    if division is not None and found is not None and _is_centred(division.inputs[0], found):
        return found
    for centred, factor in both_orders(producer(value, "Mul"), "Mul"):
        found = inverse_deviation(factor)
        if found is not None and _is_centred(centred, found):
            return found
    return None


def _is_centred(value: ir.Value | None, inverse: Inverse) -> bool:
    if inverse.mean is None:
        return value is inverse.x
    difference = producer(value, "Sub")
    return difference is not None and tuple(difference.inputs) == (inverse.x, inverse.mean)


def _put(graph: ir.Graph, node: ir.Node, found: Normalized) -> bool:
    """Replace ``node`` if what was found is over the last axes; return whether it is."""
    x, inverse = found.inverse.x, found.inverse
    assert x.shape is not None
    rank, first = len(x.shape), inverse.axes[0]
    sizes = [size for size in list(x.shape)[first:] if isinstance(size, int)]
    if inverse.axes != tuple(range(first, rank)) or len(sizes) < rank - first or x.dtype is None:
        return False
    if inverse.epsilon < 0 or (inverse.mean is None and found.bias is not None):
        return False
    if not all(value is None or _fits(value, sizes) for value in (found.scale, found.bias)):
        return False
    scale, bias = (_parameter(graph, value, sizes) for value in (found.scale, found.bias))
    if scale is None:
        scale = initializer(graph, f"{node.outputs[0].name}/ones", np.ones(sizes, x.dtype.numpy()))
    kind, version = ("RMSNormalization", ROOT_OPSET) if inverse.mean is None else ("LayerNormalization", LAYER_OPSET)
    attributes = [ir.AttrInt64("axis", first - rank), ir.AttrFloat32("epsilon", inverse.epsilon)]
    inputs = [x, scale] if bias is None else [x, scale, bias]
    new = ir.Node("", kind, inputs, attributes, num_outputs=1, name=node.name, version=version)
    read = list(node.inputs)
    ir.convenience.replace_nodes_and_values(graph, node, [node], [new], node.outputs, new.outputs)
    _drop_unread(graph, read)
    return True


def _drop_unread(graph: ir.Graph, values: list[ir.Value | None]) -> None:
    """Remove what makes ``values``, and what only that read, where nobody reads them now."""
    while values:
        value = values.pop()
        node = value.producer() if value is not None else None
        if node is None or node.graph is not graph:
            continue
        if not any(each.uses() or each.is_graph_output() for each in node.outputs):
            values += node.inputs
            graph.remove(node, safe=True)


def _fits(value: ir.Value, sizes: list[int]) -> bool:
    """Return whether a constant has the axes that are normalised, and no others but of size one."""
    array = constant(value)
    return array is not None and list(array.shape)[-len(sizes) :] == sizes and array.size == np.prod(sizes)


def _parameter(graph: ir.Graph, value: ir.Value | None, sizes: list[int]) -> ir.Value | None:
    array = constant(value)
    if value is None or array is None or list(array.shape) == sizes:
        return value
    return arranged(graph, value, array.reshape(sizes))
