"""What a TFLite file holds: constants as views, wherever they stand; names, dynamic sizes, four bits; damage named."""

import io
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from isoform.errors import IsoformError
from isoform.hub.emitters.tflite_builder import FlatFile
from isoform.hub.importers.tflite_file import TfliteFile, read

CODE = schema.BuiltinOperator
LARGE = np.arange(4096, dtype=np.float32).reshape(64, 64)


def content(constant: np.ndarray = LARGE) -> bytes:
    file = FlatFile()
    graph = file.sub_graph("main")
    x = graph.input("x", str(constant.dtype), [None, constant.shape[-1]])
    graph.outputs = [graph.make(CODE.ADD, [x, graph.constant(constant, "weight")], x.shape, schema.AddOptionsT())]
    buffer = io.BytesIO()
    file.write(buffer)
    return buffer.getvalue()


SMALL = content(LARGE[:2])


def altered(data: bytes, alter: Any) -> TfliteFile:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    alter(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return read(bytes(builder.Output()))


@pytest.mark.parametrize("constant", [LARGE, LARGE[:2]], ids=["behind the flatbuffer", "inside"])
def test_a_constant_is_a_view_of_the_mapped_file(tmp_path: Path, constant: np.ndarray) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(content(constant))
    array = read(path).sub_graphs[0].tensors[1].array
    assert array is not None
    np.testing.assert_array_equal(array, constant)
    owner: Any = array
    while not isinstance(owner, np.memmap):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
        assert owner is not None
    assert not array.flags.owndata


def test_names_sizes_and_operators_are_as_the_file_has_them() -> None:
    file = read(content())
    graph = file.sub_graphs[0]
    assert [(tensor.name, tensor.dtype, tensor.shape) for tensor in graph.tensors[:2]] == [
        ("x", "float32", (None, 64)),
        ("weight", "float32", (64, 64)),
    ]
    [add] = graph.operators
    assert (add.name, add.inputs, add.options.fusedActivationFunction) == ("ADD", (0, 1), 0)
    assert dict(file.signatures["serving_default"].inputs) == {"x": 0}


def test_custom_operators_and_unknown_ones_have_names_too() -> None:
    def custom(model: Any) -> None:
        model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = CODE.CUSTOM
        model.operatorCodes[0].customCode = b"Postprocess"

    def unknown(model: Any) -> None:
        model.operatorCodes[0].builtinCode = 9999

    assert altered(SMALL, custom).sub_graphs[0].operators[0].name == "CUSTOM Postprocess"
    assert altered(SMALL, unknown).sub_graphs[0].operators[0].name == "operator 9999"


@pytest.mark.parametrize(
    ("kind", "values"), [("INT4", [-8, -1, 0, 7, 3]), ("UINT4", [0, 15, 8, 7, 3])], ids=["signed", "unsigned"]
)
def test_integers_of_four_bits_are_unpacked_the_lower_half_first(kind: str, values: list[int]) -> None:
    def four_bits(model: Any) -> None:
        tensor = model.subgraphs[0].tensors[1]
        tensor.type, tensor.shape = getattr(schema.TensorType, kind), [5]
        halves = [value & 15 for value in [*values, 0]]
        packed = [low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True)]
        model.buffers[tensor.buffer].data = np.array(packed, np.uint8)

    tensor = altered(SMALL, four_bits).sub_graphs[0].tensors[1]
    assert tensor.array is not None
    assert tensor.array.tolist() == values
    assert tensor.dtype == str(tensor.array.dtype) == kind.lower().replace("4", "8")


def test_scales_without_zero_points_mean_zero() -> None:
    def quantised(model: Any) -> None:
        found = model.subgraphs[0].tensors[1].quantization = schema.QuantizationParametersT()
        found.scale, found.quantizedDimension = [0.5, 0.25], 1

    found = altered(SMALL, quantised).sub_graphs[0].tensors[1].quantization
    assert found is not None
    assert (found.scale.tolist(), found.zero_point.tolist(), found.axis) == ([0.5, 0.25], [0, 0], 1)
    assert not found.same_as(found)  # integers of different channels mean different numbers


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no model at all, and long enough", "The file: not a TFLite file."),
        (content()[:200], "The file: a damaged TFLite file"),
        (content()[:-9000], "The file: a damaged TFLite file"),
    ],
    ids=["another format", "cut in the tables", "cut in the weights"],
)
def test_damage_is_named(data: bytes, message: str) -> None:
    with pytest.raises(IsoformError) as caught:
        read(data)
    assert caught.value.what.startswith(message)
    assert caught.value.kind == "damaged"


def test_a_tensor_that_is_not_there_is_damage() -> None:
    def elsewhere(model: Any) -> None:
        model.subgraphs[0].operators[0].inputs = [0, 77]

    with pytest.raises(IsoformError, match="sub-graph 0 names a tensor that it does not have"):
        altered(SMALL, elsewhere)


def test_a_missing_or_empty_file_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "empty.tflite").touch()
    for name, kind in (("none.tflite", "no-file"), ("empty.tflite", "damaged")):
        with pytest.raises(IsoformError) as caught:
            read(tmp_path / name)
        assert caught.value.kind == kind


@pytest.mark.parametrize(("says", "is_known"), [(False, True), (True, False)])
def test_a_tensor_without_sizes_is_a_number_in_files_that_say_no_ranks(says: bool, is_known: bool) -> None:
    def alter(model: Any) -> None:
        tensors = model.subgraphs[0].tensors
        for tensor in tensors:
            tensor.hasRank = says
        tensors[-1].shape, tensors[-1].shapeSignature, tensors[-1].hasRank = [], None, False

    assert altered(SMALL, alter).sub_graphs[0].tensors[-1].has_rank is is_known
