"""Where ONNX Runtime ran the operators of a file, by its profile: providers, kernels of integers, what it put in."""

from collections import Counter
from collections.abc import Sequence

import onnx_ir as ir

from isoform.core.placement import FLOAT, INTEGER, NONE, PlacedNode, Placement
from isoform.hub.macs import LAYERS, is_layer, macs
from isoform.hub.ort_profile import Event, Run

_INTEGER_KERNELS = frozenset({
    "ConvInteger", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulInteger", "MatMulIntegerToFloat",
})  # fmt: skip
"""Those that take numbers and multiply integers, or are known by their names."""
_INTEGERS = frozenset({"int8", "uint8", "int16", "uint16", "int32", "int64"})
_INTEGER_LEVEL = 4
"""MatMulNBits at this accuracy level rounds its input to eight bits."""
_KINDS = {
    "casts": ("Cast",), "copies": ("MemcpyFromHost", "MemcpyToHost"),
    "transposes": ("Transpose", "ReorderInput", "ReorderOutput"),
    "quantize": ("QuantizeLinear", "DynamicQuantizeLinear"), "dequantize": ("DequantizeLinear",),
}  # fmt: skip


def placement(runs: Sequence[Run], target: str, file: ir.Model) -> Placement:
    """Return where each node ran, its time the mean over ``runs``.

    Args:
        target: the provider that was asked for.
        file: the graph as it stands on disk, which tells what was inserted.
    """
    count = len(runs)
    times: Counter[tuple[str, str]] = Counter()
    for run in runs:
        for event in run.events:
            times[event.name, event.operator] += event.time_ns
    last, products = runs[-1], _macs(runs[-1])
    first = {(event.name, event.operator): event for event in reversed(last.events)}
    executed = Counter((event.name, event.operator) for event in last.events)
    nodes = [
        PlacedNode(
            name, operator, event.provider, arithmetic(event), event.dtype, products.get((name, operator)),
            executed[name, operator], round(times[name, operator] / count),
        )
        for (name, operator), event in reversed(first.items())
    ]  # fmt: skip
    return Placement(target, tuple(nodes), _inserted(last, file))


def arithmetic(event: Event) -> str:
    """Return what the products of an execution are of."""
    node = event.node
    if event.operator not in LAYERS or (node is not None and not is_layer(node)):
        return NONE
    if event.operator in _INTEGER_KERNELS or event.dtype in _INTEGERS:
        return INTEGER
    if event.operator == "MatMulNBits" and node is not None and "accuracy_level" in node.attributes:
        return INTEGER if node.attributes["accuracy_level"].as_int() == _INTEGER_LEVEL else FLOAT
    return FLOAT


def _macs(run: Run) -> dict[tuple[str, str], int | None]:
    """Return the multiply-accumulates of each node over all its executions; None where a size is not known."""
    found: dict[tuple[str, str], int | None] = {
        (event.name, event.operator): None if event.operator in LAYERS else 0 for event in run.events
    }
    missing = set()
    for event, node in run.steps():
        key = event.name, event.operator
        count = macs(node, run.sizes) if is_layer(node) else 0
        if count is None:
            missing.add(key)
        else:
            found[key] = (found[key] or 0) + count
    return found | dict.fromkeys(missing)


def _inserted(run: Run, file: ir.Model) -> dict[str, int]:
    ran = Counter(event.operator for event in {event.name: event for event in run.events}.values())
    asked = Counter(node.op_type for node in file.graph.all_nodes())
    return {
        kind: max(0, sum(ran[name] for name in names) - sum(asked[name] for name in names))
        for kind, names in _KINDS.items()
    }
