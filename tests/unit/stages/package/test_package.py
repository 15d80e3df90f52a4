"""Packages are written whole or not at all, beside those that are there, and only of what was proved."""

import json
from pathlib import Path
from typing import Any

import pytest

from isoform import store
from isoform.errors import IsoformError, NotProved, UsageError
from isoform.isolation import Pool
from isoform.stages.package import PackageOptions, package


def artifact(folder: Path, verdict: str = "PASS", name: str = "net", size: int = 2, content: bytes = b"graph") -> Path:
    """Write an artifact without a batch axis, which needs no run to be packaged."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(content)
    record: dict[str, Any] = {
        "schema_version": 1, "name": name, "format": "onnx", "model": "model.onnx",
        "signature": {
            "inputs": [{"name": "x", "dtype": "float32", "shape": [size]}],
            "outputs": [{"name": "y", "dtype": "float32", "shape": [size]}],
        },
        "files": store.inventory(folder), "parity": {"ort-cpu": {"verdict": verdict}},
    }  # fmt: skip
    (folder / "artifact.json").write_text(json.dumps(record))
    return folder


def packaged(*folders: Path, out: Path, server: str = "triton", is_dry: bool = False, **options: Any) -> Any:
    with Pool() as pool:
        return package(folders, server, PackageOptions(out, **options), pool, is_dry=is_dry)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_versions_stand_beside_each_other(tmp_path: Path) -> None:
    out = tmp_path / "out"
    one, two = artifact(tmp_path / "one"), artifact(tmp_path / "two", content=b"trained further")
    (found,) = packaged(one, out=out)
    assert found.why_not_batched == "its inputs and outputs have no dynamic batch axis in common"
    packaged(two, out=out, version=2)
    assert files(out) == ["net/1/model.onnx", "net/2/model.onnx", "net/config.pbtxt"]
    assert (out / "net" / "2" / "model.onnx").read_bytes() == b"trained further"


def test_what_is_there_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    packaged(artifact(tmp_path / "one"), out=out)
    two = artifact(tmp_path / "two", content=b"other")
    with pytest.raises(UsageError, match="this version is there already"):
        packaged(two, out=out)
    assert (out / "net" / "1" / "model.onnx").read_bytes() == b"graph"
    packaged(two, out=out, is_forced=True)
    assert (out / "net" / "1" / "model.onnx").read_bytes() == b"other"


def test_another_signature_is_no_other_version(tmp_path: Path) -> None:
    out = tmp_path / "out"
    packaged(artifact(tmp_path / "one"), out=out)
    with pytest.raises(UsageError, match="the versions that are there have another configuration"):
        packaged(artifact(tmp_path / "two", size=3), out=out, version=2)
    assert files(out) == ["net/1/model.onnx", "net/config.pbtxt"]


@pytest.mark.parametrize("verdict", ["FAIL", "INCONCLUSIVE", "NOT VERIFIED"])
def test_only_what_was_proved_is_packaged(tmp_path: Path, verdict: str) -> None:
    folder, out = artifact(tmp_path / "one", verdict), tmp_path / "out"
    with pytest.raises(NotProved, match=f"its verdict is {verdict}"):
        packaged(folder, out=out)
    assert not out.exists()
    (found,) = packaged(folder, out=out, is_unproved=True)
    assert found.verdict == verdict


def test_altered_files_are_not_packaged(tmp_path: Path) -> None:
    folder = artifact(tmp_path / "one")
    (folder / "model.onnx").write_bytes(b"grapx")
    with pytest.raises(IsoformError, match="its SHA-256 differs") as error:
        packaged(folder, out=tmp_path / "out")
    assert error.value.kind == "damaged"


def test_nothing_is_written_where_one_of_several_cannot_be(tmp_path: Path) -> None:
    one, two = artifact(tmp_path / "one", name="a"), artifact(tmp_path / "two", "FAIL", name="b")
    with pytest.raises(NotProved):
        packaged(one, two, out=tmp_path / "out")
    with pytest.raises(UsageError, match="are both called 'a'"):
        packaged(one, artifact(tmp_path / "three", name="a"), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_dry_run_writes_nothing_and_names_every_file(tmp_path: Path) -> None:
    (found,) = packaged(artifact(tmp_path / "one"), out=tmp_path / "out", is_dry=True)
    assert found.files == ("net/1/model.onnx", "net/config.pbtxt")
    assert not (tmp_path / "out").exists()


def test_a_format_that_the_server_does_not_open(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="TensorFlow Serving does not open 'onnx'"):
        packaged(artifact(tmp_path / "one"), out=tmp_path / "out", server="tf-serving")
