"""A store under real conversions: what is unchanged is copied, what is damaged or another is made; no error in it."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from isoform.cache import Store, open_store, upkeep
from isoform.cache.area import LocalArea
from isoform.errors import InputChanged
from isoform.isolation import Pool
from isoform.stages.convert import ConvertRequest, convert
from isoform.stages.export import Result


def network(path: Path, operator: str = "Relu") -> None:
    weight = numpy_helper.from_array(np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node(operator, ["h"], ["y"])], "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])], [weight],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool() as children:
        yield children


@dataclass
class Converter:
    """Converts the source into folders with one store, and keeps what was told."""

    source: Path
    pool: Pool
    told: list[str] = field(default_factory=list)
    during: Callable[[str], None] = lambda text: None

    @property
    def store(self) -> Store:
        return open_store(str(self.source.parent / "store"), self.told.append)

    def __call__(self, out: str, to: str = "ort", **options: Any) -> Result:
        result = self.result(out, to, **options)
        assert result.status != "failed", result.error
        return result

    def result(self, out: str, to: str, **options: Any) -> Result:
        self.told.clear()
        folder = self.source.parent / out
        request = ConvertRequest(self.source, (to,), folder, f"convert --out {out}", cache=self.store, **options)

        def on_event(subject: str, text: str) -> None:
            self.told.append(text)
            self.during(text)

        (result,) = convert(request, self.pool, on_event)
        return result


@pytest.fixture
def converted(source: Path, pool: Pool) -> Converter:
    return Converter(source, pool)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != "artifact.json"
    }  # fmt: skip


def test_another_folder_gets_the_artifact_with_a_record_of_its_own(converted: Converter, tmp_path: Path) -> None:
    first, second = converted("one"), converted("two", name="other")
    assert (first.is_reused, second.is_reused, second.status) == (False, True, "passed")
    assert any(text.startswith("from the store, of 20") for text in converted.told)
    assert bytes_of(tmp_path / "two/other/ort") == bytes_of(tmp_path / "one/net/ort")
    record = json.loads((tmp_path / "two/other/ort/artifact.json").read_text())
    assert (record["name"], record["source"]["path"]) == ("other", str(converted.source))
    assert record["reproduce"] == "convert --out two"
    converted("two", name="other")
    assert "unchanged" in converted.told
    assert not converted("three", is_forced=True).is_reused
    assert "recording reference outputs" in converted.told


def test_an_artifact_that_was_there_before_the_store_joins_it(converted: Converter, tmp_path: Path) -> None:
    converted("one")
    shutil.rmtree(tmp_path / "store")
    assert converted("one").is_reused
    assert converted("two").is_reused
    assert any(text.startswith("from the store, of 20") for text in converted.told)


def test_damage_anywhere_in_the_store_is_one_line_and_the_work_is_done_again(
    converted: Converter, tmp_path: Path
) -> None:
    first = converted("one")
    for path in (path for path in (tmp_path / "store").rglob("*") if path.is_file()):
        path.write_bytes(path.read_bytes()[:-1])
    second = converted("two")
    assert not second.is_reused
    assert second.verdict == first.verdict
    assert sum("set aside, and done again" in line for line in converted.told) == 2  # the artifact and the references
    assert converted("three").is_reused
    assert bytes_of(tmp_path / "three/net/ort") == bytes_of(tmp_path / "two/net/ort")


def test_another_format_of_the_same_source_takes_its_references_out_of_the_store(converted: Converter) -> None:
    converted("one")
    converted("two", to="tflite")
    assert any(line.startswith("reference outputs from the store, of 20") for line in converted.told)


def test_another_source_or_option_is_another_result(converted: Converter) -> None:
    converted("one")
    status = converted.source.stat()
    network(converted.source, "Tanh")
    os.utime(converted.source, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert converted.source.stat().st_size == status.st_size
    assert not converted("two").is_reused
    assert not converted("three", is_verified=False).is_reused
    fourth = converted("four", is_verified=False)
    assert (fourth.is_reused, fourth.status) == (True, "unverified")


def test_a_source_that_changes_while_it_is_converted_is_refused_and_not_kept(
    converted: Converter, tmp_path: Path
) -> None:
    """Row 30 of the faults: what stands there already stays, and the same command makes what is right."""
    earlier = converted("one", "tflite")
    before = bytes_of(tmp_path / "one/net/tflite")
    network(converted.source, "Sigmoid")
    converted.during = lambda text: network(converted.source, "Tanh") if text.startswith("verifying") else None
    refused = converted.result("one", "tflite")
    assert isinstance(refused.error, InputChanged)
    assert str(converted.source) in refused.error.what
    assert len(refused.tried) == 1
    assert bytes_of(tmp_path / "one/net/tflite") == before
    kinds = Counter(entry.kind for entry in upkeep.contents(converted.store.area).entries)
    assert kinds == {"artifact": 1, "reference": 2}
    converted.during = lambda text: None
    assert converted("one", "tflite").status == "passed"
    assert bytes_of(tmp_path / "one/net/tflite")["model.tflite"] != before["model.tflite"]
    assert earlier.verdict == "PASS"


def test_a_store_that_cannot_be_written_is_one_line(converted: Converter, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "blobs").write_text("a file where a folder belongs")
    assert converted("one").status == "passed"
    assert sum("nothing more is put into it: " in line for line in converted.told) == 1


def test_the_command_line_verifies_once_and_says_where_it_has_it_from(converted: Converter, tmp_path: Path) -> None:
    converted("one")
    command = [sys.executable, "-P", "-m", "isoform", "verify", "one"]
    environment = os.environ | {"ISOFORM_STORE": "store"}
    first, second = (
        subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=120)
        for _ in range(2)
    )
    assert "from the store" not in first.stderr
    assert ": nothing was run; --force does" in second.stderr
    found = upkeep.verify(LocalArea(tmp_path / "store"))
    assert (found.entries, found.damaged) == (3, ())
