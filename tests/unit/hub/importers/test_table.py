"""The table of builtin operators: whatever it lacks is named before anything is read."""

import io

import pytest
from ai_edge_litert import schema_py_generated as schema

from isoform import hub
from isoform.errors import UnsupportedOperator
from isoform.hub.emitters.tflite_builder import FlatFile
from isoform.hub.importers import tflite
from isoform.hub.importers.tflite_ops.table import ImportTable

CODE = schema.BuiltinOperator


def test_all_operators_that_are_not_carried_are_named_at_once() -> None:
    file = FlatFile()
    for name in ("main", "other"):
        graph = file.sub_graph(name)
        x = graph.input("x", "float32", [2])
        y = graph.make(CODE.RELU, [x], [2])
        graph.outputs = [graph.make(CODE.SVDF if name == "main" else CODE.HASHTABLE_FIND, [y], [2])]
    buffer = io.BytesIO()
    file.write(buffer)
    with pytest.raises(UnsupportedOperator) as caught:
        hub.from_tflite(buffer.getvalue())
    assert caught.value.what == (
        "'SVDF' (operator 1 of main, version 1); 'HASHTABLE_FIND' (operator 1 of other, version 1): no ONNX form here."
    )
    assert caught.value.hint == "Export the model without these operators, for example cut before them."


def test_two_functions_for_one_operator_are_a_mistake() -> None:
    table: ImportTable = ImportTable()
    table.op("ADD")(lambda: None)
    with pytest.raises(ValueError, match="two functions for ADD"):
        table.op("ADD")(lambda: None)


def test_every_name_in_the_table_is_one_of_the_schema() -> None:
    assert all(hasattr(CODE, row["operator"]) for row in tflite.OPERATORS.listed())
    assert len(tflite.OPERATORS.listed()) >= 143
