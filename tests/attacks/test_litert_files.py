"""TFLite files that lie (fault 13): run, refused, or the child died; its owner lives."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from attacks.mutations import mutations
from isoform import hub
from isoform.errors import IsoformError
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Pool

COUNT = 1000
ONES = np.ones((3, 4), np.float32)


def tflite(weight: np.ndarray = ONES) -> bytes:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", weight.shape[1]])],
        [numpy_helper.from_array(weight, "w")],
    )
    proto: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    data: bytes = hub.to_tflite(proto)
    return data


def test_mutations_run_or_are_refused_or_end_their_own_child_only(tmp_path: Path, pool: Pool) -> None:
    path = tmp_path / "m.tflite"
    kinds: dict[str, int] = {}
    for data in mutations(tflite(), COUNT):
        path.write_bytes(data)
        try:
            from_file(FileRequest(path), pool, tmp_path / "work")
            kinds["opened"] = kinds.get("opened", 0) + 1
        except IsoformError as error:
            kinds[error.kind] = kinds.get(error.kind, 0) + 1
            assert error.hint  # noqa: PT017
        assert path.read_bytes() == data
    assert sum(kinds.values()) == COUNT
    assert not set(kinds) & {"protocol", "timeout", "failed"}, kinds


@pytest.mark.parametrize("percent", [0, 1, 50, 99])
def test_a_cut_file_is_truncated(tmp_path: Path, pool: Pool, percent: int) -> None:
    data = tflite(np.ones((3, 1000), np.float32))
    refused(tmp_path, data[: len(data) * percent // 100], pool, "truncated")


def test_a_file_with_another_magic_is_refused(tmp_path: Path, pool: Pool) -> None:
    refused(tmp_path, tflite().replace(b"TFL3", b"TFL9"), pool, "the extension says TFLite, the content does not")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_named(tmp_path: Path, pool: Pool, value: float) -> None:
    weight = np.arange(12, dtype=np.float32).reshape(3, 4)
    weight[1, 1] = value
    refused(tmp_path, tflite(weight), pool, "m.tflite: 1 weights hold NaN or infinities: ")


def refused(folder: Path, data: bytes, pool: Pool, words: str) -> None:
    path = folder / "m.tflite"
    path.write_bytes(data)
    with pytest.raises(IsoformError) as caught:
        from_file(FileRequest(path), pool, folder / "work")
    assert words in caught.value.what
    assert "m.tflite" in caught.value.what
    assert path.read_bytes() == data
