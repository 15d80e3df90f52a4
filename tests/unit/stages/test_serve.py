"""What keeps an artifact from being served is said before anything is started."""

import json
from pathlib import Path
from typing import Any

import pytest

from isoform.errors import IsoformError, MissingDependency, UsageError
from isoform.isolation import Pool
from isoform.stages import serve
from isoform.stages.serve import ServeOptions

RECORD: dict[str, Any] = {
    "schema_version": 1, "name": "net", "format": "onnx", "model": "model.onnx",
    "signature": {"inputs": [{"name": "x", "dtype": "float32", "shape": ["n"]}], "outputs": []},
    "files": {"model.onnx": {"sha256": "0" * 64, "size_bytes": 3}}, "parity": {},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "artifact.json").write_text(json.dumps(RECORD))
    (tmp_path / "model.onnx").write_bytes(b"abc")
    return tmp_path


def refused(folder: Path, runtime: str | None = None) -> IsoformError:
    with Pool() as pool, pytest.raises(IsoformError) as error:
        serve.serve(folder, runtime, ServeOptions(), pool, lambda serving: None)
    return error.value


def test_a_file_that_is_not_the_one_that_was_exported(folder: Path) -> None:
    error = refused(folder)
    assert error.kind == "damaged"
    assert error.what == f"{folder}: model.onnx is not the file that was exported: its SHA-256 differs."


def test_a_runtime_of_another_format(folder: Path) -> None:
    error = refused(folder, "litert")
    assert isinstance(error, UsageError)
    assert error.what == "'litert' does not open 'onnx'."


def test_without_the_servers_libraries(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda module: None)
    error = refused(folder)
    assert isinstance(error, MissingDependency)
    assert error.hint == "pip install 'isoform[serve]'"
