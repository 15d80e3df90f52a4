"""One direction of a recurrent operator: what is asked of it, and what a cell has to offer. Computes products only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Array, SubGraph, Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code
from isoform.hub.emitters.tflite_ops.hybrid import Kernel, require_hybrid


class Cell(Protocol):
    """What one step computes."""

    @property
    def kernel(self) -> Kernel:
        """[gates * units, features], multiplied with the input of all steps at once."""

    @property
    def biases(self) -> list[Array]:
        """What is added to that product, each [gates * units]; one that is absent or zero is left out."""

    @property
    def units(self) -> int:
        """How many numbers a state has."""

    @property
    def resting(self) -> float:
        """What ``step`` is given in the place of its input so that states of zeros stay zeros, exactly."""

    def step(self, graph: SubGraph, now: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        """Return the next states [batch, units], the one that is put out first.

        Args:
            now: the input of this step times the kernel, [batch, gates * units].
        """


@dataclass(frozen=True)
class Layer:
    """One direction of a recurrent operator.

    Attributes:
        initial: the states before the first step [batch, units]; all of them None for zeros.
        has_sequence: whether the states of all steps are read.
    """

    cell: Cell
    initial: Sequence[Tensor | None]
    is_reversed: bool
    has_sequence: bool

    def projected(self, call: Call) -> Tensor:
        """Return the inputs of all steps in their order times the kernel, [length, batch, gates * units]."""
        x = reversed_in_time(call, call[0]) if self.is_reversed else call[0]
        biases = self.cell.biases
        x = product(call.graph, x, self.cell.kernel, biases[0] if biases else None)
        for bias in biases[1:]:
            row = call.graph.constant(bias, "bias")
            x = call.make(Code.ADD, [x, row], x.shape, schema.AddOptionsT())
        return x


def present(*biases: Array | None) -> list[Array]:
    """Return the biases that are there."""
    return [bias for bias in biases if bias is not None]


def reversed_in_time(call: Call, x: Tensor) -> Tensor:
    return call.make(Code.REVERSE_V2, [x, call.constant([0])], x.shape, schema.ReverseV2OptionsT())


def product(graph: SubGraph, x: Tensor, kernel: Kernel, bias: Array | None) -> Tensor:
    """Return x [..., features] times kernel [rows, features], transposed, plus bias [rows]."""
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = len(x.shape) > 2
    row = graph.constant(bias, "bias") if bias is not None else None
    weight = kernel.tensor(graph)
    options.asymmetricQuantizeInputs = require_hybrid(graph.file, Code.FULLY_CONNECTED, weight)
    return graph.make(Code.FULLY_CONNECTED, [x, weight, row], (*x.shape[:-1], kernel.shape[0]), options)


def unpacked(graph: SubGraph, tensor: Tensor) -> list[Tensor]:
    """Return what stands along the first axis, whose size is known."""
    options = schema.UnpackOptionsT()
    options.num = int(tensor.shape[0] or 0)
    name = f"step_{len(graph.tensors)}"
    parts = [graph.tensor(f"{name}_{place}", tensor.dtype, tensor.shape[1:]) for place in range(options.num)]
    graph.add(Code.UNPACK, [tensor], parts, options)
    return parts


def packed(graph: SubGraph, states: Sequence[Tensor]) -> Tensor:
    """Return the states of consecutive steps along a new first axis."""
    options = schema.PackOptionsT()
    options.valuesCount = len(states)
    return graph.make(Code.PACK, states, (len(states), *states[0].shape), options)
