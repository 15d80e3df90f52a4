"""Multiply-accumulates and bytes of one inference, counted in a hub graph at given sizes.

`counted` reads the graph with its shapes inferred. Where that leaves sizes open, as inside loops, `observed` counts
what an unoptimised run executed. Both see the operators of the file, before any runtime fuses them.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from isoform.core.work import Work
from isoform.hub.macs import Sizes, declared, is_layer, macs
from isoform.hub.ort_profile import Run
from isoform.hub.passes.quantized.parameters import dequantizer, quantizer
from isoform.hub.shape_inference import at_sizes

_NAMES_ONLY = frozenset({
    "Constant", "DequantizeLinear", "Flatten", "Identity", "If", "Loop", "QuantizeLinear", "Reshape", "Scan", "Shape",
    "Size", "Squeeze", "Unsqueeze",
})  # fmt: skip
"""Operators that move nothing themselves: views, sizes, bodies that are counted apart, steps that layers take in."""
_PICKS = frozenset({"Gather", "GatherElements", "GatherND", "Slice"})
"""Operators that read of their first input only as much as they give."""


def counted(model: ir.Model, shapes: Mapping[str, tuple[int, ...]]) -> Work:
    """Return the work of one inference on inputs of these shapes; what holds bodies or open sizes is in ``unknown``."""
    sized = at_sizes(model, shapes)
    ledger = _Ledger(sized)
    for node in sized.graph:
        is_open = node.op_identifier() in sized.functions or any(map(_holds_graphs, node.attributes.values()))
        if is_open or not ledger.enter(node, declared):
            ledger.unknown.append(str(node.name))
    return ledger.work()


def observed(run: Run) -> Work:
    """Return the work that an unoptimised run did; it knows every turn of a loop and the branch taken."""
    ledger = _Ledger(run.model, run.sizes)
    for _, node in run.steps():
        if not ledger.enter(node, run.sizes):
            ledger.unknown.append(str(node.name))
    return ledger.work()


@dataclass
class _Ledger:
    """What has been counted so far."""

    model: ir.Model
    sizes: Sizes = declared
    macs: int = 0
    moved: int = 0
    weights: dict[str, int] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def enter(self, node: ir.Node, sizes: Sizes) -> bool:
        """Add one execution of an operator; False where a layer's sizes are not known."""
        count = macs(node, sizes) if is_layer(node) else 0
        if count is None:
            return False
        self.macs += count
        written = _bytes(node.outputs, sizes)
        for place, value in enumerate(node.inputs):
            if value is None:
                continue
            size = _bytes([_stored(value)], sizes)
            if node.op_type in _PICKS and place == 0:
                size = min(size, written)
            self._weigh(_stored(value), size)
            if node.op_type not in _NAMES_ONLY:
                self.moved += size
        if node.op_type not in _NAMES_ONLY:
            self.moved += sum(_bytes([_rounded(value)], sizes) for value in node.outputs)
        return True

    def work(self) -> Work:
        graph = self.model.graph
        inputs = [value for value in graph.inputs if not value.is_initializer()]
        read, written = (_bytes(side, self.sizes) for side in (inputs, graph.outputs))
        missing = tuple(dict.fromkeys(self.unknown))
        return Work("the file", self.macs, sum(self.weights.values()), read, written, self.moved, missing)

    def _weigh(self, value: ir.Value, size: int) -> None:
        if value.const_value is not None:
            name = str(value.name)
            self.weights[name] = max(self.weights.get(name, 0), size)


def _bytes(values: Iterable[ir.Value], sizes: Sizes) -> int:
    """Return what values take; text, sequences and what has no known size count as nothing."""
    total = 0.0
    for value in values:
        dtype, shape = value.dtype, sizes(value)
        if value.const_value is not None:
            dtype, shape = value.const_value.dtype, tuple(value.const_value.shape.numpy())
        if shape is not None and dtype is not None and dtype not in (ir.DataType.STRING, ir.DataType.UNDEFINED):
            total += math.prod(shape) * dtype.itemsize
    return math.ceil(total)


def _stored(value: ir.Value) -> ir.Value:
    """Return the integers that a number is dequantised from, else the value itself."""
    maker = dequantizer(value)
    return value if maker is None or maker.inputs[0] is None else maker.inputs[0]


def _rounded(value: ir.Value) -> ir.Value:
    """Return the integers that all readers of a number round it to, else the value itself."""
    maker = quantizer(value)
    return value if maker is None else maker.outputs[0]


def _holds_graphs(attribute: ir.Attr) -> bool:
    return attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
