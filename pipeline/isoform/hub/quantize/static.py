"""Integers into a graph: QuantizeLinear and DequantizeLinear around what computes in them, weights stored as int8.

Each tensor that an integer operator reads or gives gets one pair of the two; weights and biases are stored as integers
with a DequantizeLinear behind them. Both runtimes read such groups as their integer kernels. Tables that rows are
picked from and the weights of recurrent layers are stored as integers and computed with as numbers. Not aware of
where ranges come from.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.quantization import Quantization
from isoform.hub.quantize import scales
from isoform.hub.quantize.scales import HIGHEST
from isoform.hub.quantize.stored import note
from isoform.hub.quantize.units import FIXED, Unit

DEQUANTIZE, QUANTIZE = "DequantizeLinear", "QuantizeLinear"
_RECURRENT = ("GRU", "LSTM", "RNN")
_SMALLEST_STORED = 1024
"""Elements from which on a weight that is only stored as integers saves anything."""


def points(units: Iterable[Unit]) -> list[ir.Value]:
    """Return the tensors that integers stand for, in their order."""
    return list(dict.fromkeys(value for unit in units for value in (*unit.data, unit.output)))


def parameters(units: Sequence[Unit], bounds_of: Mapping[str, tuple[float, float]]) -> dict[ir.Value, Quantization]:
    """Return what the integers of each point stand for; points between which numbers only move share theirs."""
    found: dict[ir.Value, Quantization] = {}
    for group in _groups(units):
        bounds = [bounds_of[str(value.name)] for value in group]
        makers = [unit for unit in units if unit.output in group]
        fixed = next((FIXED[unit.node.op_type] for unit in makers if unit.node.op_type in FIXED), None)
        is_symmetric = any(unit.centred in group for unit in units if unit.centred is not None)
        if fixed is not None and not is_symmetric:
            about = Quantization(np.array(fixed[0], np.float32), np.array(fixed[1], np.int64), "int8")
        else:
            low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
            ceiling = min((unit.ceiling for unit in makers if unit.ceiling is not None), default=None)
            about = scales.of_range(low, high, is_symmetric=is_symmetric, ceiling=ceiling)
        found.update(dict.fromkeys(group, about))
    return found


def _groups(units: Sequence[Unit]) -> list[dict[ir.Value, None]]:
    """Return the points in groups of one scale."""
    groups: dict[ir.Value, dict[ir.Value, None]] = {value: {value: None} for value in points(units)}
    for unit in units:
        for value in unit.data if unit.keeps_scale else ():
            joined = groups[unit.output] | groups[value]
            groups.update(dict.fromkeys(joined, joined))
    return list({id(group): group for group in groups.values()}.values())


def insert(model: ir.Model, units: Sequence[Unit], about: dict[ir.Value, Quantization], highest: int = HIGHEST) -> None:
    """Let ``units`` compute in integers, in place; those of their weights reach to ``highest``."""
    graph = model.graph
    for unit in units:
        if unit.weight is not None:
            _store_layer(graph, unit, about[unit.data[0]], highest)
    readers = {unit.node for unit in units}
    computed = {unit.output for unit in units}
    for value, found in about.items():
        _pair(graph, value, found, None if value in computed else readers)


def _store_layer(graph: ir.Graph, unit: Unit, x: Quantization, highest: int) -> None:
    node, weight, bias = unit.node, unit.weight, unit.bias
    assert weight is not None
    has_own_bias = node.op_type != "MatMul" and bias is not None
    least = scales.smallest_for(bias, x.step) if has_own_bias else None
    found = scales.of_weight(weight, unit.channels, least, highest)
    store_weight(graph, node, unit.weight_place, weight, found)
    if has_own_bias and bias is not None:
        stored, steps = scales.bias_integers(bias, [x.scale, found.scale])
        name = str(node.inputs[2].name)
        inputs = [
            initializer(graph, f"{name}/{part}", array) for part, array in (("integers", stored), ("scale", steps))
        ]
        maker = ir.node(DEQUANTIZE, inputs, {"axis": 0}, name=f"{name}/{DEQUANTIZE}")
        note(maker, name, str(node.name))
        _put_before(graph, node, 2, maker, ir.Shape(stored.shape))


def store_weight(graph: ir.Graph, node: ir.Node, place: int, weight: Array, found: Quantization) -> None:
    """Let ``node`` read a weight that is stored as integers."""
    old = node.inputs[place]
    assert old is not None
    maker = ir.node(
        DEQUANTIZE, _stored(graph, str(old.name), weight, found),
        {"axis": found.axis} if found.axis is not None else {}, name=f"{old.name}/{DEQUANTIZE}/{node.name}",
    )  # fmt: skip
    note(maker, str(old.name), str(node.name))
    _put_before(graph, node, place, maker, ir.Shape(weight.shape))


def _stored(graph: ir.Graph, name: str, weight: Array, found: Quantization) -> list[ir.Value]:
    zeros = found.zero_point.astype(np.int8)
    parts = (("integers", scales.integers(weight, found)), ("scale", found.scale), ("zero", zeros))
    return [initializer(graph, f"{name}/{part}", array) for part, array in parts]


def _put_before(graph: ir.Graph, node: ir.Node, place: int, maker: ir.Node, shape: ir.Shape) -> None:
    maker.outputs[0].type, maker.outputs[0].shape = ir.TensorType(ir.DataType.FLOAT), shape
    graph.insert_before(node, maker)
    node.replace_input_with(place, maker.outputs[0])


def _pair(graph: ir.Graph, value: ir.Value, found: Quantization, readers: Collection[ir.Node] | None) -> None:
    """Put both operators behind ``value``, for ``readers`` alone or for everybody."""
    name = str(value.name)
    uses = [use for use in value.uses() if readers is None or use.node in readers]
    scale, zero = (
        initializer(graph, f"{name}/{part}", array)
        for part, array in (("scale", found.scale), ("zero", found.zero_point.astype(np.int8)))
    )
    first = ir.node(QUANTIZE, [value, scale, zero], name=f"{name}/{QUANTIZE}")
    second = ir.node(DEQUANTIZE, [first.outputs[0], scale, zero], name=f"{name}/{DEQUANTIZE}")
    for node, dtype in ((first, ir.DataType.INT8), (second, ir.DataType.FLOAT)):
        node.outputs[0].type, node.outputs[0].shape = ir.TensorType(dtype), value.shape
    first.outputs[0].name, result = f"{name}/integers", second.outputs[0]
    maker = value.producer()
    if maker is None:
        graph.insert_before(graph[0], [first, second])
    else:
        graph.insert_after(maker, [first, second])
    for use in uses:
        use.node.replace_input_with(use.idx, result)
    if readers is None and value.is_graph_output():
        value.name, result.name = f"{name}/unrounded", name
        for place, output in enumerate(graph.outputs):
            if output is value:
                graph.outputs[place] = result
    else:
        result.name = f"{name}/rounded"


def store_rest(graph: ir.Graph, kept: Collection[str], highest: int = HIGHEST) -> list[str]:
    """Store the tables and recurrent weights of ``graph`` as integers, in place; return the nodes that read them.

    Args:
        highest: of recurrent weights; a table is never multiplied as it is stored.
    """
    found = []
    for node in list(graph):
        if node.name in kept or not is_only_stored(node):
            continue
        if node.op_type == "Gather":
            _store_table(graph, node)
        else:
            _store_recurrent(graph, node, highest)
        found.append(str(node.name))
    return found


def is_only_stored(node: ir.Node) -> bool:
    """Return whether a node picks rows of a table, or is recurrent: its weights are stored as integers, no more."""
    if node.domain != "" or node.op_type not in ("Gather", *_RECURRENT):
        return False
    if node.op_type in _RECURRENT:
        return any(_large(node.inputs[place]) is not None for place in (1, 2))
    table = _large(node.inputs[0])
    return (
        table is not None and table.ndim == 2 and not ("axis" in node.attributes and node.attributes["axis"].as_int())
    )


def _store_table(graph: ir.Graph, node: ir.Node) -> None:
    """Turn Gather(table, rows) into DequantizeLinear(Gather(integers, rows)): other rows are never numbers."""
    table, old, output = _large(node.inputs[0]), node.inputs[0], node.outputs[0]
    assert table is not None, "asked only of tables"
    stored, scale, zero = _stored(graph, str(old.name), table, scales.of_weight(table, None))
    rows = ir.node("Gather", [stored, node.inputs[1]], name=node.name)
    numbers = ir.node(DEQUANTIZE, [rows.outputs[0], scale, zero], name=f"{node.name}/{DEQUANTIZE}")
    note(numbers, str(old.name), str(node.name))
    rows.outputs[0].type, rows.outputs[0].shape = ir.TensorType(ir.DataType.INT8), output.shape
    numbers.outputs[0].type, numbers.outputs[0].shape = output.type, output.shape
    rows.outputs[0].name = f"{output.name}/rows"
    ir.convenience.replace_nodes_and_values(graph, node, [node], [rows, numbers], node.outputs, numbers.outputs)


def _store_recurrent(graph: ir.Graph, node: ir.Node, highest: int) -> None:
    """Store both weights [directions, rows, features], one scale for each row where there is one direction."""
    for place in (1, 2):
        weight = _large(node.inputs[place])
        if weight is not None:
            store_weight(graph, node, place, weight, scales.of_weight(weight, 1, highest=highest))


def _large(value: ir.Value | None) -> Array | None:
    array = constant(value)
    return array if array is not None and array.dtype == np.float32 and array.size >= _SMALLEST_STORED else None
