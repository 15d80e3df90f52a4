"""``isoform convert --batch`` on real files: what fails stops nothing, and the same command again goes on."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def isoform(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "isoform", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def network(folder: Path, name: str, operator: str) -> None:
    weight = numpy_helper.from_array(np.random.default_rng(len(name)).normal(size=(4, 2)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node(operator, ["h"], ["y"])], name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])], [weight],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("odd", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), folder / f"{name}.onnx")


def test_a_batch_goes_on_over_what_fails_and_from_what_is_there(tmp_path: Path) -> None:
    for name, operator in (("one", "Relu"), ("two", "Tanh")):
        network(tmp_path, name, operator)
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    (tmp_path / "worse.onnx").write_bytes(b"nor this")
    names = ("bad", "one", "worse", "two")
    (tmp_path / "jobs.toml").write_text(
        "[defaults]\nto = ['ort']\n" + "".join(f"[[jobs]]\nsource = '{name}.onnx'\n" for name in names)
    )
    first = isoform(tmp_path, "convert", "--batch", "jobs.toml", "--json")
    found = json.loads(first.stdout)
    assert first.returncode == 4, first.stderr
    assert found["counts"] == {
        "jobs": 4, "results": 2, "reused": 0, "passed": 2, "failed": 0, "unverified": 0, "not_opened": 2,
    }  # fmt: skip
    (cause,) = found["causes"]
    assert cause["subjects"] == ["bad", "worse"]
    assert "2 x" in first.stderr
    again = json.loads(isoform(tmp_path, "convert", "--batch", "jobs.toml", "--json").stdout)
    assert again["counts"]["reused"] == 2


def test_options_of_one_conversion_do_not_go_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "jobs.toml").write_text("[[jobs]]\nsource = 'a.onnx'\nto = 'ort'\n")
    done = isoform(tmp_path, "convert", "--batch", "jobs.toml", "--to", "onnx")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "Error: --to does not go with --batch.")
