"""What scales and shifts the channels of a value, ``x -> x s + t``, read from a graph as it stands.

Each such step is asked for its scale and shift by ONNX' own reference evaluator, in float64, so that nothing here
repeats what a pass knows of it. Not aware of what becomes of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.passes.fold_small import evaluated
from isoform.hub.passes.layout.order import inverse, permutation

Constant = Callable[[ir.Value | None], Array | None]
"""Returns what a value always holds, None where it depends on the inputs."""

_STEPS = {"Add", "BatchNormalization", "Div", "Mul", "Neg", "Sub"}
_NORMALISATIONS = {"LayerNormalization", "RMSNormalization"}
"""Those that end with a scale and a shift of the last axis."""
_RESHAPING = {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
_MOST = 4
"""How many steps in a row are read at most."""


@dataclass(frozen=True)
class Place:
    """Where the channels of a value stand: on ``axis`` of ``rank``, ``channels`` of them."""

    axis: int
    rank: int
    channels: int

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.channels if axis == self.axis else 1 for axis in range(self.rank))


@dataclass(frozen=True)
class Step:
    """``x -> x * scale + shift``, in float64.

    Attributes:
        x: None where nothing before it can be such a step.
        scale, shift: [channels]. terms: the magnitudes of what the shift is a sum of, for their rounding.
    """

    node: ir.Node
    x: ir.Value | None
    scale: Array
    shift: Array
    terms: Array

    def of(self, channels: int) -> "Step":
        """Return the step with one element for each of ``channels``; it has as many, or one for all of them."""
        scale, shift, terms = (np.broadcast_to(each, (channels,)) for each in (self.scale, self.shift, self.terms))
        return replace(self, scale=scale, shift=shift, terms=terms)


class Steps:
    """Reads the steps of one graph."""

    def __init__(self, constant: Constant, opset: int) -> None:
        self.constant = constant
        self._opset = opset

    def place_of(self, node: ir.Node) -> Place | None:
        """Return the place of the channels that ``node`` scales or shifts one by one; None if it is no such step."""
        x = self._data(node)
        if x is None or x.shape is None or node.op_type not in _STEPS:
            return None
        rank = len(x.shape)
        operands = [array for array in map(self.constant, node.inputs) if array is not None]
        sizes = max((array.shape for array in operands), key=len, default=())
        if node.op_type == "BatchNormalization":
            return Place(1, rank, sizes[0])
        wide = [axis - len(sizes) for axis, size in enumerate(sizes) if size > 1] or [-1]
        return Place(rank + wide[0], rank, sizes[wide[0]] if sizes else 1) if rank >= len(sizes) > 0 else None

    def before(self, value: ir.Value | None, place: Place) -> Iterator[Step]:
        """Yield the steps that ``value`` comes from, the last one first."""
        channels = place.channels
        for _ in range(_MOST):
            value, place = self._unmoved(value, place)
            step = self.step(None if value is None else value.producer(), place)
            if step is None:
                return
            yield step.of(channels)
            value = step.x

    def after(self, value: ir.Value, place: Place) -> Iterator[Step]:
        """Yield the steps that are all that becomes of ``value``."""
        channels = place.channels
        for _ in range(_MOST):
            node = _only_reader(value)
            while node is not None and (moved := _moved(node, place)) is not None:
                value, place = node.outputs[0], moved
                node = _only_reader(value)
            step = self.step(node, place)
            if step is None or step.x is not value:
                return
            yield step.of(channels)
            value = step.node.outputs[0]

    def step(self, node: ir.Node | None, place: Place) -> Step | None:
        """Return what ``node`` does to the channels; None where it does more, or other things."""
        if node is None or node.domain != "":
            return None
        if node.op_type in _NORMALISATIONS:
            return self._end(node, place)
        x = self._data(node) if node.op_type in _STEPS else None
        if x is None:
            return None
        operands = [None if value is x else self.constant(value) for value in node.inputs]
        if not all(operand is None or _is_of_channels(operand, node, place) for operand in operands):
            return None
        at_zero, at_one = (self._answer(node, operands, np.full(place.shape, number)) for number in (0.0, 1.0))
        summand = operands[2] if node.op_type == "BatchNormalization" else None  # of its b - m s
        beta = 0.0 if summand is None else summand.astype(np.float64)
        return Step(node, x, at_one - at_zero, at_zero, np.abs(beta) + np.abs(at_zero - beta))

    def _answer(self, node: ir.Node, operands: list[Array | None], x: Array) -> Array:
        given = [x if operand is None else operand.astype(np.float64) for operand in operands]
        return evaluated(node, self._opset, given)[0].reshape(-1)

    def _data(self, node: ir.Node) -> ir.Value | None:
        """Return the one input that depends on the inputs of the graph."""
        found = [value for value in node.inputs if value is not None and self.constant(value) is None]
        return found[0] if len(found) == 1 else None

    def _end(self, node: ir.Node, place: Place) -> Step | None:
        """Return what a normalisation ends with."""
        operands = [self.constant(value) for value in node.inputs[1:]]
        if place.axis != place.rank - 1 or any(each is None or each.size != place.channels for each in operands):
            return None
        scale, shift = (*(each.astype(np.float64).reshape(-1) for each in operands if each is not None), None)[:2]
        if scale is None:
            return None
        shift = np.zeros(scale.size) if shift is None else shift
        return Step(node, None, scale, shift, np.abs(shift))

    def _unmoved(self, value: ir.Value | None, place: Place) -> tuple[ir.Value | None, Place]:
        """Return what ``value`` is before it was moved, and where its channels stand there."""
        node = None if value is None else value.producer()
        while node is not None and (before := _moved(node, place, is_backward=True)) is not None:
            value, place = node.inputs[0], before
            node = None if value is None else value.producer()
        return value, place


def _is_of_channels(operand: Array, node: ir.Node, place: Place) -> bool:
    """Return whether ``operand`` has one element for all, or one for each channel and nothing else."""
    if node.op_type == "BatchNormalization":
        return place.axis == 1 and operand.size == place.channels
    sizes = place.shape[max(0, place.rank - operand.ndim) :]
    return operand.ndim <= place.rank and all(size in (1, own) for size, own in zip(operand.shape, sizes, strict=True))


def _only_reader(value: ir.Value) -> ir.Node | None:
    """Return the one node that reads the elements of ``value``; None where several do, or the caller of the graph."""
    readers = [use.node for use in value.uses() if not _asks_for_sizes(use.node)]
    return readers[0] if len(readers) == 1 and not value.is_graph_output() else None


def _asks_for_sizes(node: ir.Node) -> bool:
    """Tell whether ``node`` reads the sizes of its input alone, which no scale and no shift changes."""
    return node.domain == "" and node.op_type in ("Shape", "Size")


def _moved(node: ir.Node, place: Place, is_backward: bool = False) -> Place | None:
    """Return where ``node``, which moves its input, puts the channels, or where it took them; None for another node.

    Where a reshaping parts or joins them, what follows can only be a step with one element for all: it has one channel.
    """
    perm = permutation(node)
    if perm is not None:
        order = perm if is_backward else inverse(perm)
        return Place(order[place.axis], place.rank, place.channels)
    shape = None if node.inputs[:1] in ([], [None]) else (node.inputs[0] if is_backward else node.outputs[0]).shape
    if node.op_type not in _RESHAPING or node.domain != "" or not shape:
        return None
    is_kept = place.axis == place.rank - 1 and shape[-1] == place.channels
    return Place(len(shape) - 1, len(shape), place.channels if is_kept else 1)
