"""Weights of ONNX files read with NumPy alone, against onnx's own reader."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from isoform.errors import IsoformError
from isoform.intake import onnx_tensors

RNG = np.random.default_rng(0)
DTYPES = (
    "float32",
    "float64",
    "float16",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "int64",
    "uint32",
    "uint64",
    "bool",
)


def made(dtype: str) -> np.ndarray:
    array = RNG.normal(size=(2, 3)) * 100
    if dtype.startswith("u"):
        array = np.abs(array)
    array = array.astype(dtype)
    if dtype in ("int64", "uint64", "int32"):
        array[0, 0] = np.iinfo(dtype).min if dtype != "uint64" else np.iinfo(dtype).max
    return array


def listed(name: str, array: np.ndarray) -> onnx.TensorProto:
    """Return a tensor whose numbers stand one by one, in the field of their type."""
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor(name, kind, array.shape, array.ravel().tolist())


def model(*initializers: onnx.TensorProto, nodes: tuple[onnx.NodeProto, ...] = ()) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"]), *nodes], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])], list(initializers),
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


@pytest.mark.parametrize("make", [lambda name, array: numpy_helper.from_array(array, name), listed])
def test_every_type_that_numpy_has_is_read_bit_for_bit(make: object, tmp_path: Path) -> None:
    arrays = {dtype: made(dtype) for dtype in DTYPES} | {"empty": np.zeros((0, 3), np.float32), "one": np.float32(2.5)}
    onnx.save(model(*(make(name, np.asarray(array)) for name, array in arrays.items())), tmp_path / "m.onnx")
    found = onnx_tensors.weights(tmp_path / "m.onnx")
    assert found.keys() == arrays.keys()
    assert [name for name in arrays if not same(found[name], np.asarray(arrays[name]))] == []


def test_what_numpy_has_not_is_left_out(tmp_path: Path) -> None:
    text = helper.make_tensor("text", TensorProto.STRING, [1], [b"a"])
    half = helper.make_tensor("half", TensorProto.BFLOAT16, [2], [1.0, 2.0])
    onnx.save(model(text, half, listed("w", np.ones(2, np.float32))), tmp_path / "m.onnx")
    assert list(onnx_tensors.weights(tmp_path / "m.onnx")) == ["w"]


def test_constants_of_inner_graphs_are_among_them(tmp_path: Path) -> None:
    values = {name: RNG.normal(size=4).astype(np.float32) for name in ("outer", "inner", "other")}
    constants = {
        name: helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array, f"named {name}"))
        for name, array in values.items()
    }
    branches = [
        helper.make_graph([constants[name]], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4])])
        for name in ("inner", "other")
    ]
    branch = helper.make_node("If", ["c"], ["z"], then_branch=branches[0], else_branch=branches[1])
    onnx.save(model(nodes=(constants["outer"], branch)), tmp_path / "m.onnx")
    found = onnx_tensors.weights(tmp_path / "m.onnx")
    assert found.keys() == values.keys()
    assert all(same(found[name], array) for name, array in values.items())


def test_weights_beside_the_file_are_mapped(tmp_path: Path) -> None:
    arrays = {name: RNG.normal(size=(300, 10)).astype(np.float32) for name in ("a", "b")}
    proto = model(*(numpy_helper.from_array(array, name) for name, array in arrays.items()))
    onnx.save(proto, tmp_path / "m.onnx", save_as_external_data=True, location="m.onnx.data", size_threshold=16)
    found = onnx_tensors.weights(tmp_path / "m.onnx")
    assert all(same(found[name], array) for name, array in arrays.items())
    assert all(isinstance(array, np.memmap) for array in found.values())
    (tmp_path / "m.onnx.data").write_bytes(b"short")
    with pytest.raises(IsoformError, match="ends after 5 bytes"):
        onnx_tensors.weights(tmp_path / "m.onnx")


@pytest.mark.parametrize("location", ["../out", "/etc/hostname"])
def test_weights_outside_of_the_folder_are_refused(location: str, tmp_path: Path) -> None:
    tensor = TensorProto(name="w", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    (tmp_path / "m.onnx").write_bytes(model(tensor).SerializeToString())
    with pytest.raises(IsoformError, match="outside of its own folder"):
        onnx_tensors.weights(tmp_path / "m.onnx")


def test_two_tensors_of_one_name_and_half_a_file_are_damage(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones(100, np.float32), "w")
    (tmp_path / "two.onnx").write_bytes(model(weight, weight).SerializeToString())
    content = model(weight).SerializeToString()
    (tmp_path / "half.onnx").write_bytes(content[: len(content) // 2])
    for name, reason in (("two", "two tensors are called 'w'"), ("half", "not a whole ONNX model")):
        with pytest.raises(IsoformError, match=reason):
            onnx_tensors.weights(tmp_path / f"{name}.onnx")
