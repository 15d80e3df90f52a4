"""The key of a task holds all that its result depends on, and no clock, path or time of a file."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isoform import registry
from isoform.core.artifact import Artifact
from isoform.core.precision import Variant
from isoform.core.signature import Signature, TensorSpec
from isoform.stages.export.plan import ExportRequest, plan

SIGNATURE = Signature((TensorSpec("x", "float32", ("n", 4)),), (TensorSpec("y", "float32", ("n", 2)),))


@pytest.fixture
def request_of(tmp_path: Path) -> ExportRequest:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"graph")
    return ExportRequest(
        Artifact("onnx", model, SIGNATURE), "net", "onnx", (Variant("tflite", "fp32"),), tmp_path / "out", "again"
    )


def key(request: ExportRequest) -> str:
    (task,) = plan(request)
    return task.key


@pytest.mark.parametrize("changes", [{"is_verified": False}, {"sizes": {"n": (3,)}}], ids=["verified", "sizes"])
def test_options_count(request_of: ExportRequest, changes: dict[str, Any]) -> None:
    assert key(replace(request_of, **changes)) != key(request_of)


@pytest.mark.parametrize("name", ["samples", "cases"])
def test_bytes_of_inputs_count(request_of: ExportRequest, tmp_path: Path, name: str) -> None:
    (tmp_path / "inputs.npz").write_bytes(b"one")
    request = replace(request_of, **{name: tmp_path / "inputs.npz"})
    before = key(request)
    (tmp_path / "inputs.npz").write_bytes(b"two")
    assert len({before, key(request), key(request_of)}) == 3


@pytest.mark.parametrize("package", ["ai_edge_litert", "flatbuffers", "onnx", "numpy"])
def test_versions_of_what_converts_and_of_what_proves_count(
    request_of: ExportRequest, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    before, version_of = key(request_of), registry.version_of
    monkeypatch.setattr(registry, "version_of", lambda name: "99" if name == package else version_of(name))
    assert key(request_of) != before


@pytest.mark.parametrize("part", ["machine", "system", "python_version_tuple"])
def test_the_platform_counts(request_of: ExportRequest, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    before = key(request_of)
    monkeypatch.setattr(f"platform.{part}", lambda: ("4", "0", "0"))
    assert key(request_of) != before


def test_names_paths_and_times_of_files_do_not(request_of: ExportRequest, tmp_path: Path) -> None:
    before = key(request_of)
    moved = tmp_path / "elsewhere" / "other.onnx"
    moved.parent.mkdir()
    request_of.source.model.rename(moved)
    os.utime(moved, (0, 0))
    source = replace(request_of.source, model=moved)
    assert key(replace(request_of, source=source, name="other", out=tmp_path / "more", reproduce="x")) == before
    moved.write_bytes(b"grapH")
    os.utime(moved, (0, 0))
    assert key(replace(request_of, source=source)) != before
