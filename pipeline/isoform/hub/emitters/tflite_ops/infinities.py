"""Sums with infinities, which LiteRT's own ADD ends at the largest number: masks of attention are added that way."""

import numpy as np
import onnx_ir as ir

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import compare, select, unary
from isoform.hub.emitters.tflite_ops.call import Call, Code
from isoform.hub.passes.fold_weights import constant

_LARGEST = 1 << 20
_DEPTH = 24
_PASSING = {
    "Add", "And", "Cast", "Concat", "ConstantOfShape", "Expand", "Gather", "Identity", "If", "Max", "Min", "Pad",
    "Reshape", "ScatterND", "Slice", "Split", "Squeeze", "Sub", "Tile", "Transpose", "Trilu", "Unsqueeze", "Where",
}  # fmt: skip


def kept_infinite(call: Call, total: Tensor) -> Tensor:
    """Return the sum of the node's inputs, an infinity where one of them is infinite by the graph's own constants."""
    for index, value in enumerate(call.node.inputs):
        if may_be_infinite(value):
            term = call[index]
            is_infinite = compare(call, Code.EQUAL, unary(call, Code.ABS, term), np.inf)
            total = select(call, is_infinite, term, total)
    return total


def may_be_infinite(value: ir.Value | None) -> bool:
    """Return whether constants with infinities can reach ``value`` by way of operators that move and choose."""
    seen: set[ir.Value] = set()
    found = [value]
    for _ in range(_DEPTH):
        found = [each for each in found if each is not None and each not in seen]
        seen.update(each for each in found if each is not None)
        if any(_is_infinite(each) for each in found):
            return True
        found = [source for each in found for source in _sources(each)]
    return False


def _sources(value: ir.Value | None) -> list[ir.Value | None]:
    node = value.producer() if value is not None else None
    if node is None or node.domain != "" or node.op_type not in _PASSING:
        return []
    if node.op_type == "If":
        place = node.outputs.index(value)
        return [node.attributes[name].as_graph().outputs[place] for name in ("then_branch", "else_branch")]
    return list(node.inputs)


def _is_infinite(value: ir.Value | None) -> bool:
    node = value.producer() if value is not None else None
    array = constant(value)
    if node is not None and node.op_type == "ConstantOfShape" and "value" in node.attributes:
        array = node.attributes["value"].as_tensor().numpy()
    return array is not None and array.dtype.kind == "f" and array.size <= _LARGEST and bool(np.isinf(array).any())
