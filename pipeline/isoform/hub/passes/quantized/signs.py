"""Note what all integers stand for that integer operators read or write, and give those without a sign one.

LiteRT computes in int8. An unsigned integer and its zero point both become 128 less, so the numbers are the same; where
the caller sees unsigned integers, at inputs and outputs of the graph, they are turned when they come in or go out.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from isoform.hub.emitters.registry import QUANTIZED_DOMAIN
from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.quantized.group import as_signed
from isoform.hub.passes.quantized.moves import MOVING, data_inputs
from isoform.hub.passes.quantized.parameters import DEQUANTIZE, QUANTIZE, described, forget, note, noted
from isoform.hub.quantization import Quantization


@dataclass
class _Region:
    """Integers that are only moved about between where they are computed and where they are read."""

    found: Quantization
    values: dict[ir.Value, None] = field(default_factory=dict)


def sign_integers(graph: ir.Graph) -> None:
    """Note and sign the integers that operators of the domain ``isoform.quantized`` and QuantizeLinear make."""
    seen: set[ir.Value] = set()
    _forget_stale(graph)
    for node in list(graph):
        if node.op_type == QUANTIZE and noted(node.outputs[0]) is None:
            _note_quantized(node)
        elif node.domain != QUANTIZED_DOMAIN:
            continue
        for value in (*node.inputs, *node.outputs):
            if value is not None and value not in seen and noted(value) is not None and constant(value) is None:
                seen.update(_treat(graph, value))


def _forget_stale(graph: ir.Graph) -> None:
    """Drop what was noted for operators that are gone since."""
    touched = {value for node in graph if node.domain == QUANTIZED_DOMAIN for value in (*node.inputs, *node.outputs)}
    for value in (*graph.inputs, *(value for node in graph for value in node.outputs)):
        if value not in touched:
            forget(value)


def _note_quantized(node: ir.Node) -> None:
    found = described(node)
    if found is not None and found.axis is None and found.dtype in ("int8", "uint8"):
        note(node.outputs[0], found)


def _treat(graph: ir.Graph, start: ir.Value) -> dict[ir.Value, None]:
    found = noted(start)
    assert found is not None, "every integer that a kernel reads or writes is noted"
    region = _region(graph, start, found)
    for value in region.values:
        note(value, as_signed(found))
    if found.dtype == "uint8":
        for value in list(region.values):
            _turn(graph, value, region)
    return region.values


def _region(graph: ir.Graph, start: ir.Value, found: Quantization) -> _Region:
    region, waiting = _Region(found), [start]
    while waiting:
        value = waiting.pop()
        if value in region.values:
            continue
        region.values[value] = None
        producer = value.producer()
        neighbours = ([producer] if producer is not None else []) + [use.node for use in value.uses()]
        for node in neighbours:
            if _moves(node, graph) and any(value is each for each in (*data_inputs(node), *node.outputs)):
                moved = (*data_inputs(node), *node.outputs)
                waiting += [each for each in moved if each is not None and constant(each) is None]
    return region


def _moves(node: ir.Node, graph: ir.Graph) -> bool:
    return node.domain == "" and node.op_type in MOVING and node.graph is graph


def _turn(graph: ir.Graph, value: ir.Value, region: _Region) -> None:
    """Sign one tensor: whoever makes it makes it signed, and whoever reads it reads it so, or a turned copy."""
    producer, unsigned = value.producer(), region.found
    uses = list(value.uses())
    is_output = value.is_graph_output()
    if producer is None or not _can_sign(producer, graph):
        signed = _turned(value, as_signed(unsigned))
        note(value, unsigned)
        if producer is None:
            graph.insert_before(graph[0], signed)
        else:
            graph.insert_after(producer, signed)
        for use in uses:
            if _reads_signed(use.node, graph):
                use.node.replace_input_with(use.idx, signed.outputs[0])
                _sign_node(graph, use.node)
        return
    value.type = ir.TensorType(ir.DataType.INT8)
    _sign_node(graph, producer)
    others = [use for use in uses if not _reads_signed(use.node, graph)]
    for use in uses:
        if use not in others:
            _sign_node(graph, use.node)
    if others or is_output:
        _turn_back(graph, value, unsigned, others, is_output)


def _turn_back(graph: ir.Graph, value: ir.Value, unsigned: Quantization, uses: list[Any], is_output: bool) -> None:
    producer = value.producer()
    assert producer is not None, "only what is computed is turned back"
    back = _turned(value, unsigned)
    graph.insert_after(producer, back)
    for use in uses:
        use.node.replace_input_with(use.idx, back.outputs[0])
    if is_output:
        name, value.name = value.name, f"{value.name}/signed"
        back.outputs[0].name = name
        for place, output in enumerate(graph.outputs):
            if output is value:
                graph.outputs[place] = back.outputs[0]


def _turned(value: ir.Value, found: Quantization) -> ir.Node:
    node = ir.Node(QUANTIZED_DOMAIN, "Requantize", [value], num_outputs=1)
    node.outputs[0].shape = value.shape
    node.outputs[0].type = ir.TensorType(ir.DataType.from_numpy(np.dtype(found.dtype)))
    note(node.outputs[0], found)
    return node


def _can_sign(node: ir.Node, graph: ir.Graph) -> bool:
    """Return whether a node makes integers that can as well be made signed."""
    return node.graph is graph and (
        node.domain == QUANTIZED_DOMAIN
        or _moves(node, graph)
        or (node.op_type == QUANTIZE and described(node) is not None)
    )


def _reads_signed(node: ir.Node, graph: ir.Graph) -> bool:
    return node.graph is graph and (
        node.domain == QUANTIZED_DOMAIN
        or _moves(node, graph)
        or (node.op_type == DEQUANTIZE and described(node) is not None)
    )


def _sign_node(graph: ir.Graph, node: ir.Node) -> None:
    """Let a node that says a zero point, or holds a border, say the signed one; once."""
    place = 2 if node.op_type in (QUANTIZE, DEQUANTIZE, "Pad") and node.domain == "" else None
    mode = node.attributes["mode"].as_string() if "mode" in node.attributes else "constant"
    if place is None or mode != "constant":
        return
    array = constant(node.inputs[place]) if place < len(node.inputs) else np.zeros((), np.uint8)
    if array is None or array.dtype != np.uint8:
        return
    if place >= len(node.inputs):
        node.resize_inputs(place + 1)
    signed = initializer(graph, f"{node.name}/zero", (array.astype(np.int16) - 128).astype(np.int8))
    node.replace_input_with(place, signed)
    for value in node.outputs:
        if node.op_type == QUANTIZE:
            value.type = ir.TensorType(ir.DataType.INT8)
