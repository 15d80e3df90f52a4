"""Where the nodes of a sub-graph go, and which value of the hub graph each of its tensors has become."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from isoform.errors import IsoformError
from isoform.hub.importers.tflite_file import Array, Quantization, SubGraph, Tensor, TfliteFile

QUANTIZED = frozenset({"int8", "uint8", "int16"})


@dataclass
class Target:
    """The hub graph that is being built.

    Attributes:
        initializers: by name; those of all graphs, since inner graphs see the outer one's.
        inline: appends what a sub-graph computes from values to a frame's block, and returns its outputs.
        outputs: the names of the outputs that have a value of their own already.
    """

    file: TfliteFile
    inline: Callable[["Frame", SubGraph, Sequence[ir.Value]], list[ir.Value]]
    initializers: dict[str, ir.Value] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    constants: dict[Any, ir.Value] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)

    def name(self, wanted: str) -> str:
        """Return ``wanted``, with a number behind it where it is taken."""
        wanted = wanted or "tensor"
        count = self.names.get(wanted, -1) + 1
        self.names[wanted] = count
        return wanted if count == 0 else self.name(f"{wanted}_{count}")

    def initializer(self, name: str, tensor: Any) -> ir.Value:
        """Return a new initialiser."""
        name = self.name(name)
        value = ir.Value(name=name, const_value=tensor, shape=ir.Shape(tensor.shape), type=ir.TensorType(tensor.dtype))
        self.initializers[name] = value
        return value

    def weight(self, graph: SubGraph, tensor: Tensor, array: Array) -> ir.Value:
        """Return a constant of a sub-graph, the same one wherever that is inlined."""
        key = (graph.index, tensor.index)
        if key not in self.constants:
            self.constants[key] = self.initializer(tensor.name, ir.Tensor(array))
        return self.constants[key]

    def constant(self, array: Array) -> ir.Value:
        """Return a small constant; equal ones are stored once."""
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = self.initializer("constant", ir.Tensor(array))
        return self.constants[key]


@dataclass
class Frame:
    """One sub-graph while its operators are appended to a block.

    Attributes:
        nodes: the block: the nodes of the main graph, of a loop's body or of a branch.
        values: tensors as they are stored, by place.
        reals: quantised tensors as the numbers that they stand for, by place.
        around: the sub-graphs that this one is called from, itself among them.
    """

    target: Target
    graph: SubGraph
    nodes: list[ir.Node]
    prefix: str = ""
    values: dict[int, ir.Value] = field(default_factory=dict)
    reals: dict[int, ir.Value] = field(default_factory=dict)
    around: frozenset[int] = frozenset()

    def emit(
        self, op_type: str, inputs: Sequence[ir.Value | None], attributes: Mapping[str, Any], count: int = 1
    ) -> list[ir.Value]:
        """Append a node and return its outputs."""
        node = ir.node(op_type, inputs, attributes, num_outputs=count, name=self.target.name(f"{self.prefix}{op_type}"))
        for index, value in enumerate(node.outputs):
            value.name = self.target.name(f"{node.name}:{index}")
        self.nodes.append(node)
        return list(node.outputs)

    def stored(self, place: int) -> ir.Value:
        """Return a tensor as it is stored."""
        if place not in self.values:
            array, tensor = self.array(place), self.graph.tensors[place]
            if array is None:
                raise IsoformError(
                    f"The tensor '{tensor.name}' ({tensor.dtype}) is read before anything computes it: sparse weights, "
                    "text and variables are not carried.",
                    "Export the model without them.",
                    kind="unsupported-tensor",
                )
            self.values[place] = self.target.weight(self.graph, tensor, array)
        return self.values[place]

    def array(self, place: int) -> Array | None:
        """Return what a tensor always holds, as it is stored; None for one that is computed."""
        tensor = self.graph.tensors[place]
        value = self.values.get(place)
        if value is not None:
            return None if value.const_value is None else value.const_value.numpy()
        if tensor.array is None and 0 in tensor.shape and not tensor.is_variable:
            return np.zeros([size or 0 for size in tensor.shape], tensor.dtype)
        return tensor.array

    def real(self, place: int) -> ir.Value:
        """Return the numbers that a tensor stands for: dequantised where it is quantised."""
        tensor = self.graph.tensors[place]
        if not is_quantized(tensor):
            return self.stored(place)
        if place not in self.reals:
            self.reals[place] = self.dequantized(self.stored(place), tensor)
        return self.reals[place]

    def dequantized(self, stored: ir.Value, tensor: Tensor, axis: int | None = None) -> ir.Value:
        """Return ``scale * (stored - zero_point)``.

        Args:
            axis: of the channels in ``stored``, where it is not the one in the file.
        """
        return self.emit("DequantizeLinear", [stored, *self._scales(tensor)], _axis(tensor, axis))[0]

    def quantized(self, real: ir.Value, tensor: Tensor) -> ir.Value:
        """Return the integers for ``real``."""
        return self.emit("QuantizeLinear", [real, *self._scales(tensor)], _axis(tensor, None))[0]

    def _scales(self, tensor: Tensor) -> list[ir.Value]:
        found = tensor.quantization
        assert found is not None, "asked only of quantised tensors"
        shape = (-1,) if found.is_per_channel else ()
        scale, zero = found.scale.reshape(shape), found.zero_point.reshape(shape)
        if tensor.dtype == "int32":  # ONNX gives it none
            return [self.target.constant(scale)]
        return [self.target.constant(scale), self.target.constant(zero.astype(tensor.dtype))]


def is_quantized(tensor: Tensor) -> bool:
    """Return whether a tensor's integers stand for other numbers."""
    return tensor.quantization is not None and tensor.dtype in QUANTIZED


def _axis(tensor: Tensor, axis: int | None) -> dict[str, int]:
    found: Quantization | None = tensor.quantization
    if found is None or not found.is_per_channel:
        return {}
    return {"axis": found.axis if axis is None else axis}
