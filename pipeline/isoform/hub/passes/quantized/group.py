"""An operator between DequantizeLinear and QuantizeLinear, and what the rules for such groups have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from isoform.hub.emitters.registry import QUANTIZED_DOMAIN
from isoform.hub.passes.fold_weights import Array, constant, initializer
from isoform.hub.passes.quantized.parameters import dequantizer, described, note, noted, quantizer
from isoform.hub.quantization import Quantization

_OFFSET = 128
_ACTIVATIONS = {"RELU": (0.0, np.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
_LARGEST_BIAS = 2**31 - 1
_BIAS_SLACK = 0.05
"""How much of an output step a rounded bias may be off."""


@dataclass(frozen=True)
class Operand:
    """Integers that an operator reads, and what they stand for."""

    value: ir.Value
    quantization: Quantization


@dataclass(frozen=True)
class Group:
    """One operator, the activation behind it, and the QuantizeLinear behind that.

    Attributes:
        last: the QuantizeLinear, whose place the integers take.
        output: what the integers that come out stand for.
        activation: the name of the activation to fuse, or "NONE".
        is_clipped: whether the activation does more than the range of the integers does.
    """

    graph: ir.Graph
    node: ir.Node
    last: ir.Node
    output: Quantization
    activation: str
    is_clipped: bool

    def holds(self, scale: object, largest: float) -> bool:
        """Return whether a step of ``scale`` is at most ``largest`` steps of the output: more overflows in kernels."""
        return float(np.max(np.asarray(scale, np.float64))) <= largest * self.output.step

    def data(self, index: int) -> Operand | None:
        """Return input ``index`` as eight-bit integers of one scale, computed or constant; None where it is not."""
        if index >= len(self.node.inputs):
            return None
        maker = dequantizer(self.node.inputs[index])
        found = described(maker)
        if maker is None or found is None or maker.inputs[0] is None or found.axis is not None:
            return None
        if found.dtype not in ("int8", "uint8"):
            return None
        if constant(maker.inputs[0]) is not None:
            return _signed(self.graph, maker.inputs[0], found)
        return Operand(maker.inputs[0], found)

    def number(self, index: int) -> Operand | None:
        """Return input ``index`` where it is one constant number, as an integer of a scale that holds it exactly."""
        array = constant(self.node.inputs[index])
        if array is None or array.size != 1 or array.dtype != np.float32 or not np.isfinite(array).all():
            return None
        size = float(abs(array.item()))
        scale = np.array(size / 127 if size else 1.0, np.float32)
        if not scale > 0 or np.float32(127) * scale != np.float32(size or 127):
            scale = np.array(size or 1.0, np.float32)
        units = np.round(array / scale).astype(np.int8)
        quantization = Quantization(scale, np.zeros((), np.int64), "int8")
        value = initializer(self.graph, f"{self.node.name}/number", units)
        note(value, quantization)
        return Operand(value, quantization)

    def weight(self, index: int, channels: int) -> Operand | None:
        """Return a constant weight, int8 around 0, of one scale or one for each place of the axis ``channels``."""
        maker = dequantizer(self.node.inputs[index])
        found = described(maker)
        if maker is None or found is None or maker.inputs[0] is None or found.dtype not in ("int8", "uint8"):
            return None
        if constant(maker.inputs[0]) is None or found.axis not in (None, channels):
            return None
        operand = _signed(self.graph, maker.inputs[0], found)
        return None if operand.quantization.zero_point.any() else operand

    def bias(self, index: int, x: Quantization, weight: Quantization) -> Operand | None:
        """Return a constant bias as int32 of the scales of x and weight multiplied; None where that is too coarse."""
        array = self._numbers(index)
        scale = (x.scale.astype(np.float64) * weight.scale.astype(np.float64)).astype(np.float32)
        if array is None or (scale <= 0).any() or scale.max() > 2 * _BIAS_SLACK * self.output.step:
            return None
        units = np.round(array.reshape(-1).astype(np.float64) / scale)
        if not np.isfinite(units).all() or (np.abs(units) > _LARGEST_BIAS).any():
            return None
        zero = np.zeros(scale.shape, np.int64)
        quantization = Quantization(scale, zero, "int32", None if scale.ndim == 0 else 0)
        value = initializer(self.graph, f"{self.node.name}/bias", units.astype(np.int32))
        note(value, quantization)
        return Operand(value, quantization)

    def _numbers(self, index: int) -> Array | None:
        array = constant(self.node.inputs[index])
        maker = dequantizer(self.node.inputs[index])
        if array is not None or maker is None:
            return array
        found, stored = described(maker), constant(maker.inputs[0])
        if found is None or stored is None or stored.ndim > 1:
            return None
        return (stored.astype(np.float64) - found.zero_point) * found.scale

    def result(self, operator: str, inputs: Sequence[ir.Value | None], **attributes: Any) -> ir.Node:
        """Return the operator on integers: the node's own attributes and those given; its output is noted."""
        extra = [ir.convenience.convert_attribute(name, value) for name, value in attributes.items()]
        kept = [value for name, value in self.node.attributes.items() if name not in attributes]
        new = ir.Node(QUANTIZED_DOMAIN, operator, inputs, [*kept, *extra], num_outputs=1, name=self.node.name)
        note(new.outputs[0], self.output)
        return new


def group_of(graph: ir.Graph, node: ir.Node) -> Group | None:
    """Return the group that ``node`` is the operator of; None where its result is read as numbers."""
    value = node.outputs[0]
    last, bounds, wanted = quantizer(value), (-np.inf, np.inf), "NONE"
    if last is None:
        users = [use.node for use in value.uses()]
        clip = _clip(users[0]) if len(users) == 1 and not value.is_graph_output() else None
        if clip is None:
            return None
        bounds, last = clip, quantizer(users[0].outputs[0])
        wanted = "RELU" if users[0].op_type == "Relu" else "NONE"
    output = described(last)
    if last is None or output is None or output.dtype not in ("int8", "uint8") or last.graph is not graph:
        return None
    integers = output.integer(bounds[0]), output.integer(bounds[1])
    activation = _activation(output, integers, wanted)
    return None if activation is None else Group(graph, node, last, output, activation, integers != output.bounds)


def _activation(output: Quantization, integers: tuple[int, int], wanted: str) -> str | None:
    """Return the activation that leaves the same integers as clipping to ``integers`` does; None if there is none."""
    if wanted == "NONE" and integers == output.bounds:
        return "NONE"
    for name, others in _ACTIVATIONS.items():
        if integers == tuple(map(output.integer, others)):
            return name
    return None


def _clip(node: ir.Node) -> tuple[float, float] | None:
    """Return the bounds that an activation clips to."""
    if node.domain != "" or node.op_type not in ("Relu", "Clip"):
        return None
    if node.op_type == "Relu":
        return 0.0, np.inf
    found = []
    for index, name, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        value = node.inputs[index] if index < len(node.inputs) else None
        array = constant(value)
        if value is not None and array is None:
            return None
        by_name = node.attributes[name].as_float() if name in node.attributes else default
        found.append(by_name if array is None else float(array))
    return found[0], found[1]


def _signed(graph: ir.Graph, value: ir.Value, found: Quantization) -> Operand:
    """Return a constant with its integers signed, and noted."""
    if found.dtype == "int8" and (noted(value) is None or found.same_as(noted(value))):
        note(value, found)
        return Operand(value, found)
    array = constant(value)
    assert array is not None, "asked only of constants"
    signed = array if found.dtype == "int8" else array.view(np.int8) ^ np.int8(-_OFFSET)
    if found.dtype == "uint8":
        found = as_signed(found)
    new = initializer(graph, f"{value.name}/signed", signed)
    note(new, found)
    return Operand(new, found)


def as_signed(found: Quantization) -> Quantization:
    """Return what uint8 stands for as what int8 does, each integer being 128 less."""
    if found.dtype == "int8":
        return found
    return Quantization(found.scale, found.zero_point - _OFFSET, "int8", found.axis)
