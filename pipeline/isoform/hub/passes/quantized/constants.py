"""Constants that are left as integers with a DequantizeLinear behind them: what reads them, and where they stand.

Layers read such weights as they are stored. Where an operator has to know its weights as numbers, they become numbers.
Integers that come from outside, or are picked from a table, are noted: making numbers of them is exact.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.quantized.moves import MOVING
from isoform.hub.passes.quantized.parameters import DEQUANTIZE, dequantizer, described, note, noted
from isoform.hub.quantization import Quantization

_NEEDING_NUMBERS = {"GRU", "LSTM", "RNN"}
_EIGHT_BITS = ("int8", "uint8")


def settle_constants(graph: ir.Graph, *, keeps_recurrent: bool = False) -> None:
    """Make numbers of constants where operators need them, pick rows before that, and note what is exact, in place."""
    for node in list(graph):
        if node.op_type in _NEEDING_NUMBERS and node.domain == "" and not keeps_recurrent:
            for place, value in enumerate(node.inputs):
                numbers = _numbers(graph, value)
                if numbers is not None:
                    node.replace_input_with(place, numbers)
        elif node.op_type == "Gather" and node.domain == "":
            _pick_integers(graph, node)
            _note_picked(node)
    for node in graph:
        value, found = node.inputs[0] if node.op_type == DEQUANTIZE else None, described(node)
        if value is None or found is None or not value.is_graph_input() or not _is_plain(found):
            continue
        if found.same_as(noted(value) or found):
            note(value, found)


def _is_plain(found: Quantization) -> bool:
    return found.axis is None and found.dtype in _EIGHT_BITS


def _numbers(graph: ir.Graph, value: ir.Value | None) -> ir.Value | None:
    """Return the numbers that constant integers stand for; None where they are no such thing."""
    maker = dequantizer(value)
    found, array = described(maker), constant(maker.inputs[0]) if maker is not None else None
    if value is None or found is None or array is None:
        return None
    return initializer(graph, f"{value.name}/numbers", found.numbers(array))


def _note_picked(node: ir.Node) -> None:
    """Note what rows of constant integers stand for where all that reads them, moved or not, is a DequantizeLinear."""
    table, chain = node.inputs[0], [node.outputs[0]]
    reader = _only_reader(chain[-1])
    while reader is not None and reader.op_type in MOVING and len(reader.outputs) == 1:
        chain.append(reader.outputs[0])
        reader = _only_reader(chain[-1])
    found = described(reader) if reader is not None and reader.op_type == DEQUANTIZE else None
    if table is None or constant(table) is None or found is None or not _is_plain(found):
        return
    if found.same_as(noted(table) or found):
        for value in (table, *chain):
            note(value, found)


def _only_reader(value: ir.Value) -> ir.Node | None:
    uses = list(value.uses())
    return uses[0].node if len(uses) == 1 and uses[0].idx == 0 and not value.is_graph_output() else None


def _pick_integers(graph: ir.Graph, node: ir.Node) -> None:
    """Turn Gather(Dequantize(table), places) into Dequantize(Gather(table, places)), for a table of one scale."""
    maker = dequantizer(node.inputs[0])
    found, table = described(maker), maker.inputs[0] if maker is not None else None
    if maker is None or found is None or table is None or not _is_plain(found) or constant(table) is None:
        return
    if not found.same_as(noted(table) or found):
        return
    rows = ir.Node("", "Gather", [table, node.inputs[1]], list(node.attributes.values()), num_outputs=1, name=node.name)
    numbers = ir.Node("", DEQUANTIZE, [rows.outputs[0], *maker.inputs[1:]], num_outputs=1)
    rows.outputs[0].shape = node.outputs[0].shape
    rows.outputs[0].type = ir.TensorType(ir.DataType.from_numpy(np.dtype(found.dtype)))
    note(table, found)
    note(rows.outputs[0], found)
    ir.convenience.replace_nodes_and_values(graph, node, [node], [rows, numbers], node.outputs, numbers.outputs)
