"""Graphs that never end are ended at the time limit, their child gone (fault 14)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from isoform import hub
from isoform.errors import ChildFailed
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Limits, Pool


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool whose children have hardly time to start."""
    with Pool(tmp_path_factory.mktemp("logs"), Limits(6 << 30, timeout_s=6)) as pool:
        yield pool


def loop(most: int) -> onnx.ModelProto:
    """Return a Loop of ``most`` steps whose condition stays true."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Add", ["v", "one"], ["v2"])],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("c", 9, []),
         helper.make_tensor_value_info("v", 1, [1])],
        [helper.make_tensor_value_info("c2", 9, []), helper.make_tensor_value_info("v2", 1, [1])],
    )  # fmt: skip
    weights = [numpy_helper.from_array(np.array(most, np.int64), "m"), numpy_helper.from_array(np.array(True), "t"),
               numpy_helper.from_array(np.ones(1, np.float32), "one")]  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("Loop", ["m", "t", "x"], ["y"], body=body)], "g",
        [helper.make_tensor_value_info("x", 1, [1])], [helper.make_tensor_value_info("y", 1, [1])], weights,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def onnx_loop(path: Path) -> Path:
    onnx.save(loop(2**62), path / "loop.onnx")
    return path / "loop.onnx"


def tflite_while(path: Path) -> Path:
    """TFLite counts in 32 bits, and 2^31 steps outlast any limit."""
    (path / "loop.tflite").write_bytes(hub.to_tflite(loop(2**31 - 1)))
    return path / "loop.tflite"


@pytest.mark.parametrize("make", [onnx_loop, tflite_while])
def test_an_endless_loop_ends_at_the_time_limit(tmp_path: Path, hasty: Pool, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    before = path.read_bytes()
    with pytest.raises(ChildFailed) as caught:
        from_file(FileRequest(path), hasty, tmp_path / "work")
    assert caught.value.kind == "timeout"
    assert caught.value.what == "describe.describe took longer than 6 s and was ended."
    assert path.read_bytes() == before
    assert not hasty._all
