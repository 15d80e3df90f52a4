"""Reading how exporters write a normalisation: which tensor, over which axes, and by which of its statistics.

Not aware of scale and bias, nor of which operator the whole is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.producers import both_orders, producer


@dataclass(frozen=True)
class Inverse:
    """``1 / sqrt(v + epsilon)`` of the variance of x, or of its mean square where ``mean`` is None."""

    x: ir.Value
    mean: ir.Value | None
    axes: tuple[int, ...]
    epsilon: float


def inverse_deviation(value: ir.Value | None) -> Inverse | None:
    """Return what ``value`` is the inverse deviation of; None where it is none."""
    for root in _roots_of_inverse(value):
        found = deviation(root)
        if found is not None:
            return found
    return None


def deviation(value: ir.Value | None) -> Inverse | None:
    """Return what ``value`` is the deviation sqrt(v + epsilon) of."""
    root = producer(value, "Sqrt") or _power(value, 0.5)
    for variance, epsilon in both_orders(producer(root.inputs[0], "Add") if root else None, "Add"):
        number = scalar(epsilon)
        found = _mean_square(variance)
        if number is not None and found is not None:
            squared, axes = found
            difference = producer(squared, "Sub")
            mean = difference.inputs[1] if difference else None
            if difference is not None and difference.inputs[0] is not None and mean_of(mean) == (
                difference.inputs[0], axes
            ):  # fmt: skip
                return Inverse(difference.inputs[0], mean, axes, number)
            return Inverse(squared, None, axes, number)
    return None


def mean_of(value: ir.Value | None) -> tuple[ir.Value, tuple[int, ...]] | None:
    """Return x and the axes, counted from the first, of which ``value`` is the mean, axes kept."""
    node = producer(value, "ReduceMean")
    return None if node is None else reduced(node)


def reduced(node: ir.Node) -> tuple[ir.Value, tuple[int, ...]] | None:
    """Return what a reduction reads and over which axes, counted from the first, it goes; None if it keeps none."""
    x = node.inputs[0]
    if x is None or x.shape is None:
        return None
    if "keepdims" in node.attributes and not node.attributes["keepdims"].as_int():
        return None
    axes = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    listed = list(node.attributes["axes"].as_ints()) if "axes" in node.attributes else None
    listed = [int(axis) for axis in axes.ravel()] if axes is not None else listed
    rank = len(x.shape)
    return None if not listed else (x, tuple(sorted(axis % rank for axis in listed)))


def scalar(value: ir.Value | None) -> float | None:
    array = constant(value)
    return float(array.reshape(-1)[0]) if array is not None and array.size == 1 and array.dtype.kind == "f" else None


def _mean_square(value: ir.Value | None) -> tuple[ir.Value, tuple[int, ...]] | None:
    """Return a tensor and the axes over which ``value`` is the mean of its square."""
    found = mean_of(value)
    if found is None:
        return None
    square, axes = found
    product, power = producer(square, "Mul"), _power(square, 2.0)
    if product is not None and product.inputs[0] is product.inputs[1]:
        x = product.inputs[0]
    else:
        x = power.inputs[0] if power is not None else None
    return None if x is None else (x, axes)


def _roots_of_inverse(value: ir.Value | None) -> Iterator[ir.Value | None]:
    reciprocal = producer(value, "Reciprocal")
    if reciprocal is not None:
        yield reciprocal.inputs[0]
    quotient = producer(value, "Div")
    if quotient is not None and scalar(quotient.inputs[0]) == 1.0:
        yield quotient.inputs[1]


def _power(value: ir.Value | None, exponent: float) -> ir.Node | None:
    node = producer(value, "Pow")
    return node if node is not None and scalar(node.inputs[1]) == exponent else None
