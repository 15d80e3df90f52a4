"""Publishing: whole or not there, and what was there before stays until then."""

import errno
import json
import os
import re
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

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


def test_where_names_cannot_be_swapped_the_folder_is_replaced_in_two_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_is_exchanged", lambda folder, destination: False)
    test_publishing_again_replaces_the_whole_folder(tmp_path / "one")
    test_many_who_publish_the_same_folder_at_once_leave_one_whole_one(tmp_path / "many")


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_makes_room_too(tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").touch()
    place = tmp_path / "there" / "b"
    place.parent.mkdir()
    place.write_text("text") if kind == "file" else place.symlink_to(elsewhere)
    with store.publishing(place) as folder:
        (folder / "x").touch()
    assert [path.name for path in place.iterdir()] == ["x"]
    assert [path.name for path in elsewhere.iterdir()] == ["mine"]
    assert list(place.parent.iterdir()) == [place]


FOLDER = """
    with store.publishing(place) as folder:
        (folder / "x").touch(); print(folder, flush=True); time.sleep(60)
"""
PART = """
    with store.writing(place) as file:
        file.write(b"half"); file.flush(); print(file.name, flush=True); time.sleep(60)
"""


@pytest.mark.parametrize("unfinished", [FOLDER, PART], ids=["folder", "file"])
def test_what_a_killed_process_left_is_removed_and_what_another_one_holds_is_not(
    tmp_path: Path, unfinished: str
) -> None:
    head = "import sys, time; from pathlib import Path; from isoform import store; place = Path(sys.argv[1])\n"
    code = head + textwrap.dedent(unfinished)
    dying, living = (
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "b")], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    )
    with dying, living:
        assert dying.stdout is not None
        assert living.stdout is not None
        left, held = (Path(process.stdout.readline().strip()) for process in (dying, living))
        dying.kill()
        dying.wait()
        assert sorted(tmp_path.iterdir()) == sorted([left, held])
        (tmp_path / ".isoform.mine").write_text("a file of somebody else's")
        with store.publishing(tmp_path / "c"):
            assert not left.exists()
            assert held.exists()
        living.kill()
    store.remove_abandoned(tmp_path)
    assert not held.exists()
    store.remove_abandoned(tmp_path / "nothing here")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".isoform.mine", "c"]


def test_a_full_disk_is_told_with_the_place_that_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for write in (lambda: store.write_bytes(tmp_path / "b", b"x"), lambda: published(tmp_path / "b")):
        with pytest.raises(OSError, match=re.escape(f"No space left on device: '{tmp_path}")):
            write()
        assert list(tmp_path.iterdir()) == []


def published(folder: Path) -> None:
    with store.publishing(folder) as workspace:
        (workspace / "x").touch()


def test_altered_missing_and_resized_files_are_found(tmp_path: Path) -> None:
    for name in ("same", "altered", "missing", "longer"):
        (tmp_path / name).write_text("text")
    recorded = store.inventory(tmp_path)
    (tmp_path / "altered").write_text("tex7")
    (tmp_path / "missing").unlink()
    (tmp_path / "longer").write_text("text text")
    assert sorted(store.altered_files(tmp_path, recorded)) == ["altered", "longer", "missing"]


def test_a_sealed_document_that_was_altered_in_any_place_is_found() -> None:
    document = store.sealed({"verdict": "PASS", "figures": {1: [0.1, float("nan"), None]}, "notes": ("a", "ü")})
    written = json.dumps(document, indent=2)
    assert store.is_sealed(json.loads(written))
    assert store.is_sealed(store.sealed(json.loads(written)))
    assert not store.is_sealed({"verdict": "PASS"})
    found = 0
    for place in range(8 * len(written.encode())):
        flipped = bytearray(written.encode())
        flipped[place // 8] ^= 1 << place % 8
        try:
            read = json.loads(flipped)
        except ValueError:
            continue
        if repr(read) != repr(json.loads(written)):
            found += 1
            assert not store.is_sealed(read), flipped
    assert found > 100


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
