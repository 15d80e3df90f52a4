"""Weights beside an ONNX file: found, whole, nobody else's; what is wrong with them is said before anything reads."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from isoform.errors import IsoformError
from isoform.hub import graph

WEIGHT = np.arange(64 * 512, dtype=np.float32).reshape(64, 512)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a model whose one weight, 128 KiB, stands in model.onnx.data."""
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 64), ("y", 512))
    )
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = helper.make_model(helper.make_graph([node], "net", [x], [y], [numpy_helper.from_array(WEIGHT, "w")]))
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    return path


def test_weights_are_mapped_writable_and_the_file_stays_as_it_is(file: Path) -> None:
    before = file.with_name("model.onnx.data").read_bytes()
    array = graph.load(file).graph.initializers["w"].const_value.numpy()
    np.testing.assert_array_equal(array, WEIGHT)
    array[0, 0] = 7
    assert file.with_name("model.onnx.data").read_bytes() == before
    assert graph.load(file).graph.initializers["w"].const_value.numpy()[0, 0] == 0


def test_a_missing_a_short_and_a_linked_data_file_are_named(file: Path) -> None:
    data = file.with_name("model.onnx.data")
    content = data.read_bytes()
    data.write_bytes(content[:-1])
    with pytest.raises(IsoformError, match="model.onnx.data: ends after 131071 bytes, 'w' needs 131072"):
        graph.load(file)
    moved = data.rename(data.with_name("elsewhere"))
    with pytest.raises(IsoformError, match="model.onnx.data, which is not there"):
        graph.load(file)
    data.symlink_to(moved)
    with pytest.raises(IsoformError, match="which is a link"):
        graph.load(file)


def test_a_data_file_with_a_second_name_is_refused_until_it_is_copied(file: Path) -> None:
    data = file.with_name("model.onnx.data")
    data.with_name("second").hardlink_to(data)
    with pytest.raises(IsoformError, match=r"model.onnx.data, a file with 2 names \(a hard link\)\.$") as refused:
        graph.load(file)
    assert refused.value.hint == "Make a copy of its own: cp model.onnx.data copy && mv copy model.onnx.data"
    data.with_name("copy").write_bytes(data.read_bytes())
    data.with_name("copy").replace(data)
    assert graph.load(file).graph.initializers["w"].const_value.numpy().shape == WEIGHT.shape


def test_a_data_file_outside_of_the_folder_is_refused(file: Path) -> None:
    model = onnx.load(file, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "../secret"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(IsoformError, match="outside of its own folder"):
        graph.load(file)


def test_passes_rename_nothing_in_a_proto_of_the_callers(file: Path) -> None:
    proto = onnx.load(file)
    model = graph.load(proto)
    value = model.graph.initializers.pop("w")
    value.name = "renamed"
    assert proto.graph.initializer[0].name == "w"


def test_a_graph_that_inference_breaks_off_at_is_one_error() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    proto = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", values[:1], values[1:])
    model = graph.load(helper.make_model(proto, opset_imports=[helper.make_opsetid("example", 1)]))
    with pytest.raises(IsoformError, match="Shape inference breaks off: .*No opset") as caught:
        graph.infer_shapes(model)
    assert caught.value.kind == "invalid-graph"
