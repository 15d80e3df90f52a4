"""What a conversion may make of each layer and of the steps beside it that scale and shift channels, for gate 1.

A layer with one kernel and any number of such steps before and after it are one layer again: a batch normalisation
folded into the convolution before or after it or both, a layer's scale on top; steps alone are one step. How the
passes fold is nothing to this file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx_ir as ir

from isoform.core.computed import Fold, Product
from isoform.core.protocols import Array
from isoform.hub.affine_steps import Place, Step, Steps
from isoform.hub.passes.linear_layer import LinearLayer, layer_of

_CONVOLUTIONS = ("Conv", "ConvTranspose")


@dataclass(frozen=True)
class _Alone:
    """A step in the middle of others, in the words of a layer."""

    step: Step

    @property
    def kernel(self) -> Array:
        return self.step.scale

    @property
    def output_bias(self) -> Array:
        return self.step.shift

    @property
    def bias_terms(self) -> Array:
        return self.step.terms

    def by_input(self, vector: Array) -> Array:
        return vector

    by_output = by_input

    def of_constant(self, vector: Array) -> Array:
        return self.step.scale * vector

    def sizes_of_constant(self, vector: Array) -> Array:
        return np.abs(self.step.scale) * vector


def folds(graph: ir.Graph, steps: Steps) -> dict[ir.Node, tuple[Fold, ...]]:
    """Return, by each node that scales, shifts or is a layer, all that may stand for it beside others."""
    found: dict[ir.Node, list[Fold]] = {}
    for node in graph:
        layer = layer_of(node, steps.constant)
        for members, fold in _of_step(node, steps) if layer is None else _of_layer(layer, steps):
            for member in dict.fromkeys(members):
                found.setdefault(member, []).append(fold)
    return {node: tuple(alternatives) for node, alternatives in found.items()}


Runs = Iterator[tuple[Sequence[ir.Node], Fold]]


def _of_layer(layer: LinearLayer, steps: Steps) -> Runs:
    """Yield the layer with as many of the steps beside it as there are, and the nodes that this covers."""
    x, y = layer.node.inputs[0], layer.last.outputs[0]
    given, taken = _place(layer, x, layer.inputs), _place(layer, y, layer.outputs)
    before = list(steps.before(x, given)) if given else []
    after = list(steps.after(y, taken)) if taken else []
    for first, last in np.ndindex(len(before) + 1, len(after) + 1):
        if first or last:
            members = [layer.node, layer.last, *_nodes(before[:first]), *_nodes(after[:last])]
            yield members, Fold(partial(_folded, layer, before[:first], after[:last]))


def _of_step(node: ir.Node, steps: Steps) -> Runs:
    """Yield the same for a step, itself included."""
    place = steps.place_of(node)
    step = None if place is None else steps.step(node, place)
    if step is None or place is None:
        return
    before, after = list(steps.before(step.x, place)), list(steps.after(node.outputs[0], place))
    for first, last in np.ndindex(len(before) + 1, len(after) + 1):
        members = [node, *_nodes(before[:first]), *_nodes(after[:last])]
        yield members, Fold(partial(_folded, _Alone(step), before[:first], after[:last]))


def _folded(middle: LinearLayer | _Alone, before: Sequence[Step], after: Sequence[Step]) -> tuple[Product, ...]:
    """Return what has to be there for ``middle`` and these steps: no factor of ones, and no bias of zeros."""
    factor: Array = np.ones(1)
    bias, terms = middle.output_bias, middle.bias_terms
    if before:
        scale, shift, inner = _composed(before[::-1])
        factor = middle.by_input(scale)
        if shift.any():
            bias, terms = bias + middle.of_constant(shift), terms + middle.sizes_of_constant(inner)
    if after:
        scale, shift, outer = _composed(after)
        factor = factor * middle.by_output(scale)
        bias, terms = bias * scale + shift, terms * np.abs(scale) + outer
    scaled = _scaled(middle.kernel, factor)
    return (*scaled, Product(bias, np.ones(1), terms)) if bias.any() else scaled


def _scaled(kernel: Array, factor: Array) -> tuple[Product, ...]:
    """Return what a kernel becomes, bit for bit itself without a factor; nothing of steps that scale by one."""
    if kernel.ndim > 1:
        return (Product(kernel, factor if np.any(factor != 1) else None),)
    return (Product(kernel, factor),) if np.any(kernel * factor != 1) else ()


def _composed(steps: Sequence[Step]) -> tuple[Array, Array, Array]:
    """Return scale and shift of ``steps`` one after the other, and the magnitudes of the shift's terms."""
    scale, shift, terms = steps[0].scale, steps[0].shift, steps[0].terms
    for step in steps[1:]:
        scale, shift = scale * step.scale, shift * step.scale + step.shift
        terms = terms * np.abs(step.scale) + step.terms
    return scale, shift, terms


def _nodes(steps: Sequence[Step]) -> list[ir.Node]:
    return [step.node for step in steps]


def _place(layer: LinearLayer, value: ir.Value | None, channels: int) -> Place | None:
    if layer.node.op_type in _CONVOLUTIONS:
        return Place(1, layer.kernel.ndim, channels)
    if value is None or value.shape is None:
        return None
    return Place(len(value.shape) - 1, len(value.shape), channels)
