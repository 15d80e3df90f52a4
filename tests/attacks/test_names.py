"""Names that are programs, commands or very long (fault 20): a line stays a line, JSON and HTML stay what they are."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from attacks.command import isoform

pytestmark = pytest.mark.usefixtures("warm")
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "ansi": "\x1b[31mred\x1b[0m",
    "direction": "\u202egnp.txt",
    "newline": "a\n::error::b",
    "command": "::error::c",
    "nul": "a\x00b",
    "quote": "'\"`$(touch marker)",
}
MEGABYTE = "n" * (1 << 20)


def written(path: Path, name: str, weight: np.ndarray) -> Path:
    """Return a model whose graph, output, node and weight have hostile names; TorchScript wants inputs plain."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", f"{name}w"], [f"{name}y"], name=name)],
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info(f"{name}y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(weight, f"{name}w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


OURS = r"notice title=run NOT VERIFIED%3A exports/m/torchscript on torch-jit-cuda::not verified: [\w ]+$"
"""The one annotation that a machine without CUDA gets; any other begins with what a name holds."""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_model_with_hostile_names_is_shown_as_text(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "m.onnx", HOSTILE[name], np.ones((3, 4), np.float32))
    shown = isoform("inspect", str(path), cwd=tmp_path)
    assert shown.code == 0, shown.stderr
    found = isoform("convert", path.name, "--to", "torchscript", "--json", cwd=tmp_path)
    (result,) = json.loads(found.stdout)["results"]
    assert result["status"] == "passed", json.dumps(result)[:3000]
    assert isoform("report", "exports", cwd=tmp_path).code == 0
    assert "<script>" not in (tmp_path / "exports" / "report.html").read_text()
    junit = tmp_path / "junit.xml"
    again = isoform("verify", "exports", "--junit", str(junit), "--annotations", "github", cwd=tmp_path)
    assert again.code == 0, again.stderr
    ET.parse(junit)
    for text in (shown.stdout, shown.stderr, found.stderr, again.stdout, again.stderr):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert not re.search(rf"^\s*::(?!{OURS})", text, re.MULTILINE)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", [*HOSTILE.values(), MEGABYTE])
def test_an_error_that_names_them_is_one_short_line(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "m.onnx", name, np.full((3, 4), np.nan, np.float32))
    found = isoform("convert", path.name, "--to", "torchscript", cwd=tmp_path)
    found.assert_one_line_refusal()
    assert "weights hold NaN or infinities" in found.stderr
    assert len(found.stderr) < 10_000
    assert not {"\x1b", "\u202e"} & set(found.stderr)
