"""What is in a store is listed, every byte checked, and what may go goes: never what is needed or being written."""

import datetime as dt
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from isoform.cache import Store, open_store, upkeep
from isoform.cache.area import LocalArea
from isoform.cache.entry import blob_name
from isoform.cache.upkeep import Rule

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
KEYS = {name: f"{number:02x}" * 32 for number, name in enumerate(["old", "middle", "new"], start=1)}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store of three results, ten, five and one days old; one file belongs to two of them."""
    store = open_store(str(tmp_path / "store"), pytest.fail)
    for (name, key), days in zip(KEYS.items(), (10, 5, 1), strict=True):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "own").write_bytes(name.encode() * 1000)
        (folder / "shared").write_bytes(b"shared" if name != "new" else b"not shared")
        put_at(
            store, monkeypatch, NOW - dt.timedelta(days=days), "training" if name == "old" else "artifact", key, folder
        )
    return store


def put_at(
    store: Store, monkeypatch: pytest.MonkeyPatch, moment: dt.datetime, kind: str, key: str, folder: Path
) -> None:
    class Clock(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> "Clock":
            return cls.fromtimestamp(moment.timestamp(), tz)

    with monkeypatch.context() as patch:
        patch.setattr("isoform.cache.storage.dt.datetime", Clock)
        store.put(kind, key, folder.name, folder)


def remaining(store: Store) -> list[str]:
    return [entry.name for entry in upkeep.contents(store.area).entries]


def is_whole(store: Store, name: str, tmp_path: Path) -> bool:
    kind = "training" if name == "old" else "artifact"
    return store.get(kind, KEYS[name], tmp_path / uuid.uuid4().hex) is not None


def test_a_list_has_the_oldest_first_and_counts_shared_bytes_once(kept: Store) -> None:
    found = upkeep.contents(kept.area)
    assert [(entry.kind, entry.name) for entry in found.entries] == [
        ("training", "old"), ("artifact", "middle"), ("artifact", "new"),
    ]  # fmt: skip
    assert found.size_bytes == 3000 + 6000 + 3000 + len(b"shared") + len(b"not shared")
    assert found.to_json()["entries"][0]["created"] == "2026-02-19T00:00:00Z"


def test_what_is_older_goes_and_bytes_that_others_need_stay(kept: Store, tmp_path: Path) -> None:
    gone = upkeep.prune(kept.area, Rule(older_than_s=7 * 86400), NOW)
    assert [entry.name for entry in gone.entries] == ["old"]
    assert (gone.files, gone.size_bytes) == (2, 3000)
    assert remaining(kept) == ["middle", "new"]
    assert is_whole(kept, "middle", tmp_path)


def test_a_size_takes_the_oldest_until_it_fits(kept: Store, tmp_path: Path) -> None:
    upkeep.prune(kept.area, Rule(larger_than_bytes=9500), NOW)
    assert remaining(kept) == ["middle", "new"]
    upkeep.prune(kept.area, Rule(larger_than_bytes=9015), NOW)
    assert remaining(kept) == ["new"]
    assert is_whole(kept, "new", tmp_path)
    assert upkeep.contents(kept.area).size_bytes == 3010


def test_only_the_kinds_named_go(kept: Store) -> None:
    upkeep.prune(kept.area, Rule(is_all=True, kinds=("artifact",)), NOW)
    assert remaining(kept) == ["old"]


def test_a_dry_run_says_the_same_and_removes_nothing(kept: Store) -> None:
    rule = Rule(older_than_s=2 * 86400)
    before = sorted(kept.area.names("blobs"))
    dry = upkeep.prune(kept.area, rule, NOW, is_dry=True)
    assert sorted(kept.area.names("blobs")) == before
    assert upkeep.prune(kept.area, rule, NOW) == dry


def test_all_of_it_goes_and_what_was_set_aside(kept: Store) -> None:
    upkeep.set_aside(kept.area, next(kept.area.names("blobs"))[0])
    upkeep.prune(kept.area, Rule(is_all=True), NOW)
    for folder in ("blobs", "entries", "aside"):
        assert list(kept.area.names(folder)) == []


@pytest.mark.parametrize("name", [blob_name("ab" * 32), "blobs/ab/.abab.tmp", "entries/artifact/ab/.half"])
def test_what_belongs_to_nothing_goes_when_it_is_an_hour_old(kept: Store, name: str) -> None:
    path = Path(kept.area.place) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"being written")
    upkeep.prune(kept.area, Rule(older_than_s=1e9), NOW)
    assert path.exists()
    os.utime(path, (time.time() - 3700,) * 2)
    upkeep.prune(kept.area, Rule(older_than_s=1e9), NOW)
    assert not path.exists()
    assert len(remaining(kept)) == 3


def test_files_of_somebody_else_are_left_alone(kept: Store) -> None:
    other = Path(kept.area.place) / "blobs" / "notes.txt"
    other.write_text("mine")
    os.utime(other, (0, 0))
    upkeep.prune(kept.area, Rule(is_all=True), NOW)
    assert other.read_text() == "mine"
    assert upkeep.verify(kept.area).damaged == ()


def test_a_check_takes_out_what_needs_the_damaged_file_and_counts_the_rest(kept: Store) -> None:
    shared = next(
        file.blob for entry in upkeep.contents(kept.area).entries for file in entry.files
        if entry.name == "old" and file.path == "shared"
    )  # fmt: skip
    (Path(kept.area.place) / shared).write_bytes(b"shaded")
    found = upkeep.verify(kept.area)
    assert [each.name for each in found.damaged] == [shared]
    assert found.entries == 1
    assert remaining(kept) == ["new"]
    assert upkeep.contents(kept.area).aside == 3


class Pruning(LocalArea):
    """Another process prunes between the bytes and the manifest of a result: the worst moment there is."""

    def __init__(self, root: Path, prune: Callable[[], None]) -> None:
        super().__init__(root)
        self._prune = prune

    def write(self, name: str, content: bytes) -> None:
        self._prune()
        super().write(name, content)


def test_bytes_that_are_pruned_under_a_writer_are_written_again(kept: Store, tmp_path: Path) -> None:
    def prune() -> None:
        upkeep.prune(kept.area, Rule(is_all=True), NOW)

    (tmp_path / "another").mkdir()
    (tmp_path / "another" / "file").write_bytes(b"shared")
    Store(Pruning(Path(kept.area.place), prune), pytest.fail).put(
        "artifact", "ee" * 32, "another", tmp_path / "another"
    )
    assert kept.get("artifact", "ee" * 32, tmp_path / "copy") is not None
