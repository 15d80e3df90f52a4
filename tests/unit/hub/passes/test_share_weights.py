"""Weights that two initialisers hold, written once: the same function, half the file, the graph itself untouched."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.fold_weights import initializer
from isoform.hub.passes.share_weights import share_weights

TABLE = np.random.default_rng(0).normal(size=(512, 48)).astype(np.float32)


def tied(table: np.ndarray, head: np.ndarray) -> ir.Model:
    proto = parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 18]> g (int64[n] ids, float[512,48] t, float[48,512] h) '
        "=> (float[n,512] scores) { rows = Gather(t, ids) scores = MatMul(rows, h) }"
    )
    model = graph.load(proto)
    for value, name, array in zip(list(model.graph.inputs)[1:], ("table", "head"), (table, head), strict=True):
        model.graph.inputs.remove(value)
        ir.convenience.replace_all_uses_with(value, initializer(model.graph, name, array))
    return model


def test_a_table_and_its_transpose_are_written_once(tmp_path: Path) -> None:
    model = tied(TABLE, TABLE.T)
    graph.save(model, tmp_path / "model.onnx")
    assert sorted(model.graph.initializers) == ["head", "table"]
    written = onnx.load(tmp_path / "model.onnx")
    assert [each.name for each in written.graph.initializer] == ["table"]
    ids = np.array([3, 500])
    [found] = ReferenceEvaluator(written).run(None, {"ids": ids})
    np.testing.assert_array_equal(found, TABLE[ids] @ TABLE.T)


def test_a_transpose_is_known_by_its_bytes_and_a_copy_is_none() -> None:
    shared = share_weights(tied(TABLE, TABLE.reshape(512, 48).T))
    assert [node.op_type for node in shared.graph] == ["Transpose", "Gather", "MatMul"]
    model = tied(TABLE, TABLE.T.copy())
    assert share_weights(model) is model


@pytest.mark.parametrize("head", [TABLE.reshape(48, 512), TABLE[::-1].T, np.ascontiguousarray(TABLE.T)])
def test_other_views_of_the_bytes_stay_as_they_are(head: np.ndarray) -> None:
    shared = share_weights(tied(TABLE, head))
    assert sorted(shared.graph.initializers) == ["head", "table"]
