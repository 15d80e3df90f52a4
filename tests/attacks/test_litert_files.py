"""TFLite files that lie (fault 13): run, refused, or the child died; its owner lives."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from attacks.mutations import mutations
from isoform import hub
from isoform.errors import IsoformError
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Pool

COUNT = 200


def tflite() -> bytes:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(np.ones((3, 4), np.float32), "w")],
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
    assert not set(kinds) & {"protocol", "timeout"}
