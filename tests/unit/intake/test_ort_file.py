"""Weights of files in ORT format read with NumPy alone, against ONNX Runtime's own classes for its schema."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from isoform.errors import IsoformError
from isoform.intake import ort_file
from isoform.intake.container import identify

RNG = np.random.default_rng(0)
DTYPES = ("float32", "float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "int64", "uint32", "uint64")
WEIGHTS = {f"w_{dtype}": (RNG.normal(size=(2, 3)) * 9).astype("i8").astype(dtype) for dtype in DTYPES}
INNER = np.full((2, 3), 0.25, np.float32)


def written(folder: Path) -> Path:
    """Return a file whose graph adds every weight to its input, one of them in a branch of an If."""
    nodes, last = [], "x"
    for name in WEIGHTS:
        nodes.append(helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Add", [last, f"{name}_f"], [f"{name}_sum"]))
        last = f"{name}_sum"
    inner = numpy_helper.from_array(INNER, "inner")
    out = helper.make_tensor_value_info("branch", TensorProto.FLOAT, [2, 3])
    then = helper.make_graph([helper.make_node("Add", [last, "inner"], ["branch"])], "then", [], [out], [inner])
    other = helper.make_graph([helper.make_node("Identity", [last], ["branch"])], "else", [], [out])
    nodes.append(helper.make_node("If", ["on"], ["y"], then_branch=then, else_branch=other))
    values = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [values("x", TensorProto.FLOAT, [2, 3]), values("on", TensorProto.BOOL, [])],
        [values("y", TensorProto.FLOAT, [2, 3])],
        [numpy_helper.from_array(array, name) for name, array in WEIGHTS.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), folder / "m.onnx")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.optimized_model_filepath = str(folder / "m.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(str(folder / "m.onnx"), options, providers=["CPUExecutionProvider"])
    return folder / "m.ort"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("ort"))


def by_its_own_schema(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Return the raw bytes of each initialiser of the main graph, read by the classes that ONNX Runtime comes with."""
    folder = Path(onnxruntime.__file__).parent / "tools" / "ort_format_model"
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    from ort_flatbuffers_py.fbs.InferenceSession import InferenceSession

    graph: Any = InferenceSession.GetRootAs(path.read_bytes(), 0).Model().Graph()
    tensors = [graph.Initializers(place) for place in range(graph.InitializersLength())]
    return {tensor.Name().decode(): tensor.RawDataAsNumpy().tobytes() for tensor in tensors}


def test_it_is_told_by_its_bytes(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "no_extension"
    copy.write_bytes(path.read_bytes())
    assert (identify(copy).format, identify(copy).note) == ("ort", None)


def test_every_weight_comes_back_bit_for_bit_those_of_branches_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ort_file.weights(path)
    expected = WEIGHTS | {"inner": INNER}
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found[name], array)
    for name, raw in by_its_own_schema(path, monkeypatch).items():
        assert found[name].tobytes() == raw


def test_a_changed_byte_of_a_weight_is_seen(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    place = data.index(WEIGHTS["w_float32"].tobytes())
    data[place] ^= 1
    (tmp_path / "m.ort").write_bytes(data)
    found = ort_file.weights(tmp_path / "m.ort")
    differ = [name for name, array in WEIGHTS.items() if not np.array_equal(found[name], array)]
    assert differ == ["w_float32"]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_cut_file_is_refused(path: Path, tmp_path: Path, share: float) -> None:
    data = path.read_bytes()
    (tmp_path / "cut.ort").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(IsoformError) as caught:
        ort_file.weights(tmp_path / "cut.ort")
    assert caught.value.kind == "damaged"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_changed_byte_gives_weights_or_one_error(path: Path, data: st.DataObject) -> None:
    whole = bytearray(path.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    changed = path.with_name("changed.ort")
    changed.write_bytes(whole)
    try:
        ort_file.weights(changed)
    except IsoformError as error:
        assert error.kind == "damaged"  # noqa: PT017
