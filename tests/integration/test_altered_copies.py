"""Gate 1 of a file that holds a tied weight twice, as an exporter that folds its transpose writes it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from isoform.core.artifact import Artifact
from isoform.core.signature import Signature, TensorSpec
from isoform.isolation import Pool
from isoform.stages import verify

SIGNATURE = Signature((TensorSpec("ids", "int64", ("n",), high=49),), (TensorSpec("y", "float32", ("n", 50)),))
TABLE = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)


def written(path: Path, head: np.ndarray | None) -> Artifact:
    """Write a lookup and a product with the same table; ``head`` is the second copy, transposed already."""
    names = {"table": TABLE} | ({} if head is None else {"head": head})
    transposed = [helper.make_node("Transpose", ["table"], ["head"], perm=[1, 0])] if head is None else []
    nodes = [helper.make_node("Gather", ["table", "ids"], ["h"]), *transposed,
             helper.make_node("MatMul", ["h", "head"], ["y"])]  # fmt: skip
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 50])],
        [numpy_helper.from_array(array, name) for name, array in names.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return Artifact("onnx", path, SIGNATURE)


def one_off(head: np.ndarray) -> np.ndarray:
    head[0, 0] *= np.float32(1.001)
    return head


@pytest.mark.parametrize(
    ("head", "verdict", "told"),
    [
        (TABLE.T.copy(), "PASS", "parameters: 1 exact"),
        (one_off(TABLE.T.copy()), "FAIL", "the tensor 'head' is 'table' but for 1 of 400 elements"),
        (TABLE.T.astype(np.float16).astype(np.float32), "FAIL", "the tensor 'head' is 'table' rounded to float16"),
    ],
)
def test_both_copies_have_to_be_right(tmp_path: Path, head: np.ndarray, verdict: str, told: str) -> None:
    source, export = written(tmp_path / "source.onnx", None), written(tmp_path / "export.onnx", head)
    with Pool(tmp_path / "logs") as pool:
        arguments = {"runtime": "ort-cpu", "artifact": source.to_json(), "folder": str(tmp_path / "weights")}
        pool.call("isoform.jobs.infer:save_weights", arguments, needs="onnxruntime")
        gate, _ = verify.match_weights(export, tmp_path / "weights", pool)
    assert gate.verdict == verdict
    assert gate.findings[0] == told
