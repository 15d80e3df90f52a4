"""What is in memory while a file is read back: LiteRT maps and packs the weights, so none of the graph's may stay."""

import gc
from pathlib import Path

import onnx_ir as ir
import pytest

from isoform.converters import onnx_to_tflite
from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.hub import graph


def test_no_graph_is_held_while_the_file_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ir.from_onnx_text("""<ir_version: 10, opset_import: ["": 21]>
        net (float[n, 2] x) => (float[n, 2] y) <float[2, 2] w = {1.0, 2.0, 3.0, 4.0}> { y = MatMul(x, w) }""")
    graph.save(model, tmp_path / "net.onnx")
    known = {id(each) for each in gc.get_objects() if isinstance(each, ir.Model)}
    held: list[int] = []

    def read_back(*_: object) -> None:
        held.extend(id(each) for each in gc.get_objects() if isinstance(each, ir.Model) and id(each) not in known)

    monkeypatch.setattr(onnx_to_tflite, "read_back", read_back)
    shape = Signature((TensorSpec("x", "float32", ("n", 2)),), (TensorSpec("y", "float32", ("n", 2)),))
    onnx_to_tflite.convert(Artifact("onnx", tmp_path / "net.onnx", shape), tmp_path / "net.tflite", ConvertOptions())
    assert held == []
