"""An index of shards leads nowhere but into its own folder (faults 11 and 19)."""

import json
from pathlib import Path

import pytest

from isoform.errors import IsoformError
from isoform.intake.shards import read_index


def index(folder: Path, table: object) -> Path:
    path = folder / "model.safetensors.index.json"
    path.write_text(table if isinstance(table, str) else json.dumps(table))
    return path


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "", "..", "C:\\x"])
def test_a_shard_outside_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(IsoformError, match="leads out of its folder"):
        read_index(index(tmp_path, {"weight_map": {"w": name}}))


def test_links_as_download_caches_lay_them_are_followed(tmp_path: Path) -> None:
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "blob").write_bytes(b"1")
    link = tmp_path / "snapshot" / "a.safetensors"
    link.symlink_to(tmp_path / "blob")
    assert read_index(index(tmp_path / "snapshot", {"weight_map": {"w": link.name}})) == {"w": link}


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(IsoformError, match=r"the shard 'a\.safetensors' is missing"):
        read_index(index(tmp_path, {"weight_map": {"w": "a.safetensors"}}))


@pytest.mark.parametrize("name", ["folder", "model.safetensors.index.json"])
def test_a_shard_that_is_no_file_with_weights_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsoformError, match="is not a file with weights"):
        read_index(index(tmp_path, {"weight_map": {"w": name}}))


@pytest.mark.parametrize("table", [{}, [], {"weight_map": {}}, {"weight_map": {"w": 1}}, {"weight_map": ["w"]}])
def test_an_index_without_a_map_is_refused(tmp_path: Path, table: object) -> None:
    with pytest.raises(IsoformError, match="has no 'weight_map'"):
        read_index(index(tmp_path, table))


@pytest.mark.parametrize("text", ["", '{"weight_map": {"w"', "[" * 100_000])
def test_a_cut_index_is_truncated(tmp_path: Path, text: str) -> None:
    with pytest.raises(IsoformError, match="not JSON or truncated"):
        read_index(index(tmp_path, text))


def test_a_weight_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsoformError, match="stands twice"):
        read_index(index(tmp_path, '{"weight_map": {"w": "a", "w": "b"}}'))
