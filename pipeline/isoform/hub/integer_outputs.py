"""How far apart the values are that a quantised graph reads and gives: the steps of its integers."""

from collections.abc import Iterable

import onnx_ir as ir

from isoform.core.protocols import Steps
from isoform.hub.passes.quantized.moves import MOVING
from isoform.hub.passes.quantized.parameters import DEQUANTIZE, QUANTIZE, described

_SCALE_OF_RESULT = {"QLinearConv": 6, "QLinearMatMul": 6}
_QUANTIZED = {"ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", QUANTIZE, *_SCALE_OF_RESULT}


def steps_of(model: ir.Model) -> Steps | None:
    """Return the steps of inputs and outputs that have one; None where the graph computes in numbers alone."""
    if not any(node.op_type in _QUANTIZED for node in model.graph.all_nodes()):
        return None
    return Steps(
        {str(value.name): step for value in model.graph.inputs if (step := _of_input(value)) is not None},
        {str(value.name): step for value in model.graph.outputs if (step := _of_output(value)) is not None},
    )


def _of_output(value: ir.Value | None) -> float | None:
    """Return the step of integers, which is 1, or of the numbers that they stand for."""
    node = value.producer() if value is not None else None
    if value is None or node is None:
        return None
    if node.op_type in _SCALE_OF_RESULT or (node.op_type == QUANTIZE and value.dtype != ir.DataType.INT32):
        return 1.0
    if node.op_type == DEQUANTIZE:
        found = described(node)
        return found.step if found is not None and found.axis is None else None
    if node.op_type in MOVING and node.op_type != "Pad":
        return _common(_of_output(each) for each in (node.inputs if node.op_type == "Concat" else node.inputs[:1]))
    return None


def _of_input(value: ir.Value) -> float | None:
    """Return the step that an input is rounded to, 1 for integers that stand for numbers."""
    found: list[float | None] = []
    for use in value.uses():
        node = use.node
        if node.op_type == DEQUANTIZE and use.idx == 0:
            found.append(1.0)
        elif node.op_type == QUANTIZE and use.idx == 0:
            about = described(node)
            found.append(about.step if about is not None and about.axis is None else None)
        elif node.op_type in _SCALE_OF_RESULT:
            found.append(1.0)
        elif node.op_type in MOVING and use.idx == 0:
            found.append(_of_input(node.outputs[0]))
        else:
            return None
    return _common(found)


def _common(steps: Iterable[float | None]) -> float | None:
    """Return the smallest step; None where one is unknown."""
    known = list(steps)
    return min((step for step in known if step is not None), default=None) if None not in known else None
