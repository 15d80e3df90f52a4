"""Opening hub graphs from every form, and writing them with their weights beside them where these are large."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser

from isoform.errors import IsoformError
from isoform.hub import graph

TEXT = '<ir_version: 10, opset_import: ["" : 18]> g (float[batch, 2] x) => (float[batch, 2] y) { y = Add(x, w) }'


def proto(size: int = 2) -> onnx.ModelProto:
    model = parser.parse_model(TEXT)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.arange(size, dtype=np.float32), "w"))
    return model


def test_a_path_a_proto_and_a_model_open_alike(tmp_path: Path) -> None:
    onnx.save(proto(), tmp_path / "m.onnx")
    for form in (tmp_path / "m.onnx", str(tmp_path / "m.onnx"), proto(), ir.from_proto(proto())):
        assert [node.op_type for node in graph.load(form).graph] == ["Add"]


def test_an_open_model_is_not_copied() -> None:
    model = ir.from_proto(proto())
    assert graph.load(model) is model


def test_small_weights_stay_in_the_file(tmp_path: Path) -> None:
    graph.save(graph.load(proto()), tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_large_weights_go_to_a_file_beside_it_and_come_back_bit_for_bit(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(graph, "LARGEST_INLINE_BYTES", 4096)
    graph.save(graph.load(proto(4096)), tmp_path / "m.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert (tmp_path / "m.onnx").stat().st_size < 1024
    weight = graph.load(tmp_path / "m.onnx").graph.initializers["w"].const_value
    assert isinstance(weight, ir.ExternalTensor)
    np.testing.assert_array_equal(weight.numpy(), np.arange(4096, dtype=np.float32))


def test_shapes_are_inferred_with_names_kept() -> None:
    model = graph.load(parser.parse_model(TEXT.replace("y = Add(x, w)", "a = Relu(x) y = Relu(a)")))
    graph.infer_shapes(model)
    assert [str(dim) for dim in model.graph.node(0).outputs[0].shape] == ["batch", "2"]


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(IsoformError, match="no such file") as caught:
        graph.load(tmp_path / "m.onnx")
    assert caught.value.kind == "no-file"


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"\x08\x0a\x12"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(IsoformError) as caught:
        graph.load(tmp_path / "m.onnx")
    assert caught.value.kind == "damaged"


def test_a_size_below_zero_is_one_that_nobody_knows() -> None:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [-1, 3, -1])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [-1, 3, -1])
    relu = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "net", [value], [result])
    model = graph.load(onnx.helper.make_model(relu))
    assert [isinstance(dim, int) for dim in model.graph.inputs[0].shape] == [False, True, False]
