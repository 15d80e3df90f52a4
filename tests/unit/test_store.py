"""Publishing: whole or not there, and what was there before stays until then."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from isoform import store


def test_a_published_folder_holds_what_was_written(tmp_path: Path) -> None:
    with store.publishing(tmp_path / "a" / "b") as folder:
        (folder / "x").write_text("1")
    assert (tmp_path / "a" / "b" / "x").read_text() == "1"


def test_a_failed_block_leaves_the_earlier_folder_and_nothing_else(tmp_path: Path) -> None:
    with store.publishing(tmp_path / "b") as folder:
        (folder / "x").write_text("old")
    with suppress(RuntimeError), store.publishing(tmp_path / "b") as folder:
        (folder / "x").write_text("new")
        raise RuntimeError
    assert (tmp_path / "b" / "x").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_publishing_again_replaces_the_whole_folder(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with store.publishing(tmp_path / "b") as folder:
            (folder / name).touch()
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["second"]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_many_who_publish_the_same_folder_at_once_leave_one_whole_one(tmp_path: Path) -> None:
    def publish(number: int) -> None:
        for _ in range(20):
            with store.publishing(tmp_path / "b") as folder:
                for name in "xyz":
                    (folder / name).write_text(str(number))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(publish, range(8)))
    assert len({path.read_text() for path in (tmp_path / "b").iterdir()}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_altered_missing_and_resized_files_are_found(tmp_path: Path) -> None:
    for name in ("same", "altered", "missing", "longer"):
        (tmp_path / name).write_text("text")
    recorded = store.inventory(tmp_path)
    (tmp_path / "altered").write_text("tex7")
    (tmp_path / "missing").unlink()
    (tmp_path / "longer").write_text("text text")
    assert sorted(store.altered_files(tmp_path, recorded)) == ["altered", "longer", "missing"]


def test_a_digest_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert store.digest_file(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_digest_of_a_value_ignores_the_order_of_its_keys() -> None:
    assert store.digest_of({"a": 1, "b": [2]}) == store.digest_of({"b": [2], "a": 1})
    assert store.digest_of({"a": 1}) != store.digest_of({"a": 2})


def test_json_is_written_whole_and_a_damaged_document_reads_as_none(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.json"
    store.write_json(path, {"ä": 1})
    assert json.loads(path.read_text()) == {"ä": 1}
    assert store.read_json(path) == {"ä": 1}
    path.write_text('{"a": ')
    assert store.read_json(path) is None
    assert store.read_json(tmp_path / "nothing") is None
