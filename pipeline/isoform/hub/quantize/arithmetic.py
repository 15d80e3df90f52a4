"""How much of a graph's arithmetic is of integers: multiplications and additions by shape, and who computes each.

Counted are the products of layers, which is where time goes. Read from the graph: whether a runtime really takes its
integer kernel is seen from placement. Not aware of the runtimes' versions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from isoform.hub.macs import RECURRENT, is_layer, macs
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.linear_layer import is_private
from isoform.hub.passes.quantized.parameters import dequantizer, quantizer
from isoform.hub.shape_inference import at_sizes

_NEVER = {"onnx": ("ConvTranspose", "GRU", "RNN"), "tflite": ()}
"""Layers that the format's runtime has no integer kernel for on a CPU, whatever stands around them."""
_WITHOUT_CALIBRATION = {"onnx": ("Gemm", "LSTM", "MatMul"), "tflite": ("Conv", "Gemm", "GRU", "LSTM", "MatMul", "RNN")}
"""Those that multiply in integers where the weight alone is stored so."""
_BEHIND = ("Add", "Clip", "Relu")


@dataclass(frozen=True)
class Arithmetic:
    """Multiply-accumulates of one inference.

    Attributes:
        in_float: those of numbers, by the name of the layer.
        unknown: layers whose sizes could not be told.
    """

    macs: int
    integer_macs: int
    in_float: Mapping[str, int]
    unknown: tuple[str, ...] = ()

    @property
    def share(self) -> float | None:
        """Of integers, from 0 to 1; None where nothing is counted."""
        return self.integer_macs / self.macs if self.macs else None

    def to_json(self) -> dict[str, Any]:
        return {
            "macs": self.macs, "integer_macs": self.integer_macs, "integer_share": self.share,
            "in_float": dict(self.in_float), "unknown": list(self.unknown),
        }  # fmt: skip


def arithmetic(model: ir.Model, format_name: str, shapes: Mapping[str, tuple[int, ...]]) -> Arithmetic:
    """Return what a graph of QuantizeLinear and DequantizeLinear computes in a format's runtime.

    Args:
        shapes: of the inputs, by name.
    """
    counts: dict[bool, int] = {True: 0, False: 0}
    in_float: dict[str, int] = {}
    unknown = []
    for node in at_sizes(model, shapes).graph:
        if not is_layer(node):
            continue
        count, is_integer = macs(node), _is_integer(node, format_name)
        if count is None:
            unknown.append(str(node.name))
            continue
        counts[is_integer] += count
        if not is_integer:
            in_float[str(node.name)] = count
    return Arithmetic(sum(counts.values()), counts[True], in_float, tuple(unknown))


def _is_integer(node: ir.Node, format_name: str) -> bool:
    if node.op_type in _NEVER[format_name]:
        return False
    places = (1, 2) if node.op_type in RECURRENT else (1,)
    if dequantizer(node.inputs[0]) is not None and node.op_type not in RECURRENT:
        return dequantizer(node.inputs[1]) is not None and any(map(_is_rounded, _behind(node)))
    is_stored = all(_is_stored(node.inputs[place]) for place in places)
    return is_stored and node.op_type in _WITHOUT_CALIBRATION[format_name]


def _is_stored(value: ir.Value | None) -> bool:
    maker = dequantizer(value)
    return maker is not None and constant(maker.inputs[0]) is not None


def _is_rounded(value: ir.Value) -> bool:
    return quantizer(value) is not None


def _behind(node: ir.Node) -> Iterator[ir.Value]:
    """Yield what a layer gives, and what the bias and the activation behind it make of that."""
    value = node.outputs[0]
    yield value
    while is_private(value):
        ((reader, _),) = value.uses()
        if reader.op_type not in _BEHIND or len(reader.outputs) != 1:
            return
        value = reader.outputs[0]
        yield value
