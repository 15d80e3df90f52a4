"""A store gives back every byte or nothing, whatever happens to its files, in a folder and at a URL."""

import datetime as dt
import errno
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isoform.cache import Store, open_store, storage, upkeep
from isoform.cache.area import LocalArea
from isoform.cache.entry import Damaged, Entry, entry_name
from isoform.cache.storage import open_area
from isoform.cache.upkeep import Rule
from isoform.errors import IsoformError, MissingDependency, UsageError

KEY = "ab" * 32
OTHER = "cd" * 32


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture(params=["folder", "file", "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: Path, told: list[str]) -> Iterator[Store]:
    """A store in a folder, at a URL of a folder, and behind fsspec."""
    if request.param == "memory":
        yield open_store(f"memory://{uuid.uuid4().hex}/store", told.append)
    else:
        place = tmp_path / "a store"
        yield open_store(str(place) if request.param == "folder" else place.as_uri(), told.append)


@pytest.fixture
def result(tmp_path: Path) -> Path:
    folder = tmp_path / "result"
    (folder / "variables").mkdir(parents=True)
    (folder / "assets").mkdir()
    (folder / "model.bin").write_bytes(bytes(range(256)) * 10)
    (folder / "variables" / "one").write_bytes(b"")
    (folder / "run.sh").write_text("true\n")
    (folder / "run.sh").chmod(0o755)
    return folder


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }  # fmt: skip


def test_what_was_put_comes_out_with_every_byte_folder_and_permission(
    kept: Store, result: Path, tmp_path: Path, told: list[str]
) -> None:
    assert kept.get("artifact", KEY, tmp_path / "copy") is None
    kept.put("artifact", KEY, "net/onnx", result)
    hit = kept.get("artifact", KEY, tmp_path / "copy")
    assert hit is not None
    assert tree(tmp_path / "copy") == tree(result)
    assert os.access(tmp_path / "copy" / "run.sh", os.X_OK)
    assert hit.entry.name == "net/onnx"
    assert hit.told == f"from the store, of {hit.entry.made}"
    assert told == []


def test_another_key_or_kind_is_another_result(kept: Store, result: Path, tmp_path: Path) -> None:
    kept.put("artifact", KEY, "net", result)
    assert kept.get("artifact", OTHER, tmp_path / "copy") is None
    assert kept.get("training", KEY, tmp_path / "copy") is None
    assert not (tmp_path / "copy").exists()


def test_a_copy_shares_no_file_with_the_store(tmp_path: Path, result: Path, told: list[str]) -> None:
    kept = open_store(str(tmp_path / "store"), told.append)
    kept.put("artifact", KEY, "net", result)
    kept.get("artifact", KEY, tmp_path / "copy")
    model = tmp_path / "copy" / "model.bin"
    assert not model.is_symlink()
    assert model.stat().st_nlink == 1
    model.write_bytes(b"changed")
    kept.get("artifact", KEY, tmp_path / "second")
    assert tree(tmp_path / "second") == tree(result)


def test_only_the_files_named_are_kept(kept: Store, result: Path, tmp_path: Path) -> None:
    kept.put("artifact", KEY, "net", result, ["model.bin"])
    kept.get("artifact", KEY, tmp_path / "copy")
    assert set(tree(tmp_path / "copy")) == {"model.bin"}


def test_a_copy_is_amended_before_it_has_its_name(kept: Store, result: Path, tmp_path: Path) -> None:
    kept.put("artifact", KEY, "net", result)

    def amend(folder: Path) -> None:
        assert not (tmp_path / "copy").exists()
        (folder / "run.sh").write_text("false\n")

    kept.get("artifact", KEY, tmp_path / "copy", amend)
    assert (tmp_path / "copy" / "run.sh").read_text() == "false\n"
    kept.get("artifact", KEY, tmp_path / "second")
    assert tree(tmp_path / "second") == tree(result)


def test_a_record_comes_out_as_it_was_put(kept: Store) -> None:
    assert kept.get_record("verification", KEY) is None
    kept.put_record("verification", KEY, "net", {"ä": [1, None]})
    found = kept.get_record("verification", KEY)
    assert found is not None
    assert found[0] == {"ä": [1, None]}


_NAMES = st.text("ab._ -é", min_size=1, max_size=4).filter(lambda name: name.strip(". "))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(_NAMES, st.binary(max_size=40), max_size=5))
def test_any_files_come_out_as_they_were_put(tmp_path: Path, files: dict[str, bytes]) -> None:
    place = tmp_path / uuid.uuid4().hex
    (place / "result").mkdir(parents=True)
    for name, content in files.items():
        (place / "result" / name).write_bytes(content)
    kept = open_store(str(place / "store"), pytest.fail)
    kept.put("artifact", KEY, "net", place / "result")
    assert kept.get("artifact", KEY, place / "copy") is not None
    assert tree(place / "copy") == tree(place / "result")


def damage(kept: Store, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change the bytes of one file in a store, behind its back."""
    with kept.area.open(name) as file:
        content = file.read()
    if isinstance(kept.area, LocalArea):
        Path(kept.area.place, name).write_bytes(change(content))
    else:
        kept.area.write(name, change(content))


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def names(kept: Store) -> list[str]:
    return [name for folder in ("entries", "blobs") for name, _ in kept.area.names(folder)]


@pytest.mark.parametrize("is_hit", [True, False], ids=["by a hit", "by a check"])
def test_one_flipped_bit_in_any_file_is_found_and_set_aside(
    kept: Store, result: Path, tmp_path: Path, told: list[str], is_hit: bool
) -> None:
    kept.put("artifact", KEY, "net", result)
    files = [name for name in names(kept) if kept.area.size_bytes(name)]
    assert len(files) == 3
    for position, name in enumerate(files):
        bit = kept.area.size_bytes(name) * 8 * position // len(files)  # type: ignore[operator]
        damage(kept, name, lambda content, bit=bit: flipped(content, bit))
        if is_hit:
            assert kept.get("artifact", KEY, tmp_path / "copy") is None
            assert len(told) == position + 1
            assert "set aside, and done again" in told[-1]
        else:
            assert [each.name for each in upkeep.verify(kept.area).damaged] == [name]
        assert name not in names(kept)
        assert kept.get("artifact", KEY, tmp_path / "copy") is None
        kept.put("artifact", KEY, "net", result)
        assert upkeep.verify(kept.area).damaged == ()
    assert kept.get("artifact", KEY, tmp_path / "copy") is not None


def test_every_bit_of_a_manifest_counts_and_every_byte_is_needed(result: Path, tmp_path: Path) -> None:
    kept = open_store(str(tmp_path / "store"), pytest.fail)
    kept.put("artifact", KEY, "net é", result)
    content = (tmp_path / "store" / entry_name("artifact", KEY)).read_bytes()
    assert Entry.from_bytes(content, "artifact", KEY).name == "net é"
    wrong = [flipped(content, bit) for bit in range(len(content) * 8)] + [
        content[:size] for size in range(len(content))
    ]
    for changed in wrong:
        with pytest.raises(Damaged):
            Entry.from_bytes(changed, "artifact", KEY)


def test_a_manifest_of_something_else_is_damaged(kept: Store, result: Path, tmp_path: Path, told: list[str]) -> None:
    kept.put("artifact", KEY, "net", result)
    with kept.area.open(entry_name("artifact", KEY)) as file:
        kept.area.write(entry_name("artifact", OTHER), file.read())
    assert kept.get("artifact", OTHER, tmp_path / "copy") is None
    assert "it is the manifest of something else" in told[0]


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", ""])
def test_a_manifest_whose_paths_leave_their_folder_is_damaged(path: str) -> None:
    entry = Entry("artifact", KEY, "net", "2026-01-31T12:00:00Z", (), (path,))
    with pytest.raises(Damaged, match="is no path below a folder"):
        Entry.from_bytes(entry.to_bytes(), "artifact", KEY)


def test_bytes_that_are_gone_are_found_and_put_back_by_the_next_one(
    kept: Store, result: Path, tmp_path: Path, told: list[str]
) -> None:
    kept.put("artifact", KEY, "net", result)
    blob = next(name for name in names(kept) if name.startswith("blobs"))
    kept.area.remove(blob)
    assert kept.get("artifact", KEY, tmp_path / "copy") is None
    (line,) = told
    assert line.startswith(f"store {kept.area.place}: {entry_name('artifact', KEY)}: the bytes of ")
    assert line.endswith(" are gone; set aside, and done again")
    kept.put("artifact", KEY, "net", result)
    assert kept.get("artifact", KEY, tmp_path / "copy") is not None


def test_damage_leaves_what_stood_at_the_destination(kept: Store, result: Path, tmp_path: Path) -> None:
    kept.put("artifact", KEY, "net", result)
    damage(kept, names(kept)[-1], lambda content: content + b"more")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "earlier").touch()
    assert kept.get("artifact", KEY, tmp_path / "copy") is None
    assert set(tree(tmp_path / "copy")) == {"earlier"}


def test_a_damaged_file_that_two_results_share_is_mended_by_either(
    tmp_path: Path, result: Path, told: list[str]
) -> None:
    kept = open_store(str(tmp_path / "store"), told.append)
    for key in (KEY, OTHER):
        kept.put("artifact", key, "net", result)
    for name in (name for name in names(kept) if name.startswith("blobs") and kept.area.size_bytes(name)):
        damage(kept, name, lambda content: flipped(content, 0))
    kept.put("artifact", "ef" * 32, "net", result)  # bytes that are there are looked at before they are relied upon
    assert kept.get("artifact", OTHER, tmp_path / "copy") is not None
    assert told == []


_RACER = """
import sys
from pathlib import Path
from isoform.cache import open_store
place, number, key = Path(sys.argv[1]), sys.argv[2], "ab" * 32
store = open_store(str(place / "store"), lambda line: sys.exit(line))
for turn in range(5):
    copy = place / f"copy.{number}"
    if store.get("artifact", key, copy) is None:
        store.put("artifact", key, "net", place / "result")
        assert store.get("artifact", key, copy) is not None
    assert (copy / "model.bin").read_bytes() == bytes(range(256)) * 10
    store.get("artifact", key, place / "shared")
"""


def test_sixteen_processes_with_one_key_all_get_the_one_result(tmp_path: Path, result: Path) -> None:
    racers = [
        subprocess.Popen([sys.executable, "-c", _RACER, str(tmp_path), str(number)], stderr=subprocess.PIPE, text=True)
        for number in range(16)
    ]
    ends = [(racer.communicate(timeout=120)[1], racer.returncode) for racer in racers]
    assert ends == [("", 0)] * 16
    assert tree(tmp_path / "shared") == tree(result)
    found = upkeep.verify(LocalArea(tmp_path / "store"))
    assert (found.entries, found.damaged) == (1, ())
    assert list(tmp_path.rglob(".*")) == []


_WRITER = """
import hashlib, itertools, sys
from pathlib import Path
from isoform.cache import open_store
place, begin = Path(sys.argv[1]), int(sys.argv[2])
store = open_store(str(place / "store"), lambda line: sys.exit(line))
print("ready", flush=True)
for number in itertools.count(begin):
    (place / "result" / "number").write_bytes(str(number).encode() * 100_000)
    store.put("artifact", hashlib.sha256(str(number).encode()).hexdigest(), str(number), place / "result")
"""


def test_a_writer_that_is_killed_at_any_moment_leaves_nothing_half(tmp_path: Path, result: Path) -> None:
    """Ten kills; what stands there is whole, and what does not is no result."""
    random, area = np.random.default_rng(1), LocalArea(tmp_path / "store")
    for turn in range(10):
        command = [sys.executable, "-c", _WRITER, str(tmp_path), str(turn * 1000)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(random.uniform(0, 0.08))
            writer.kill()
        found = upkeep.verify(area)
        assert found.damaged == ()
        assert found.entries == sum(1 for _ in area.names("entries/artifact")) - _begun(area, "entries")
    assert found.entries
    for name, _ in area.names("blobs"):
        os.utime(tmp_path / "store" / name, (0, 0))
    for name, _ in area.names("entries"):
        os.utime(tmp_path / "store" / name, (0, 0))
    upkeep.prune(area, Rule(older_than_s=1e9), dt.datetime.now(dt.UTC))
    assert _begun(area, "blobs") + _begun(area, "entries") == 0
    assert upkeep.verify(area).entries == found.entries


def _begun(area: LocalArea, folder: str) -> int:
    return sum(name.rpartition("/")[2].startswith(".") for name, _ in area.names(folder))


class Refusing(LocalArea):
    """A folder that refuses to do something, as a full disk, one without permission or a lost connection would."""

    def __init__(self, root: Path, number: int, *refused: str) -> None:
        super().__init__(root)
        self._error = OSError(number, os.strerror(number))
        self._what = refused

    def open(self, name: str) -> IO[bytes]:
        if "open" in self._what:
            raise self._error
        return super().open(name)

    def add(self, name: str, path: Path) -> None:
        if "add" in self._what:
            raise self._error
        super().add(name, path)

    def move(self, name: str, target: str) -> None:
        if "move" in self._what:
            raise self._error
        super().move(name, target)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_store_that_takes_nothing_is_told_once_and_no_error(
    number: int, tmp_path: Path, result: Path, told: list[str]
) -> None:
    kept = Store(Refusing(tmp_path / "store", number, "add"), told.append)
    for key in (KEY, OTHER):
        kept.put("artifact", key, "net", result)
    what = f"[Errno {number}] {os.strerror(number)}"
    assert told == [f"store {tmp_path}/store: nothing more is put into it: {what}; the work goes on without"]
    assert kept.get("artifact", KEY, tmp_path / "copy") is None


def test_a_store_that_gives_nothing_is_told_once_and_no_error(tmp_path: Path, told: list[str]) -> None:
    kept = Store(Refusing(tmp_path / "store", errno.EIO, "open"), told.append)
    for key in (KEY, OTHER):
        assert kept.get("artifact", key, tmp_path / "copy") is None
    what = f"[Errno {errno.EIO}] {os.strerror(errno.EIO)}"
    assert told == [f"store {tmp_path}/store: nothing is taken out of it: {what}; the work goes on without"]


def test_damage_in_a_store_that_is_read_only_is_told(tmp_path: Path, result: Path, told: list[str]) -> None:
    Store(LocalArea(tmp_path / "store"), told.append).put("artifact", KEY, "net", result)
    kept = Store(Refusing(tmp_path / "store", errno.EROFS, "move"), told.append)
    damage(kept, entry_name("artifact", KEY), lambda content: content[:-1])
    assert kept.get("artifact", KEY, tmp_path / "copy") is None
    assert f"it stays ([Errno {errno.EROFS}]" in told[0]


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from isoform.cache import open_store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
store = open_store(sys.argv[1], print)
store.put("artifact", "ab" * 32, "net", Path(sys.argv[2]))
"""


def test_a_write_that_stops_half_way_leaves_nothing(tmp_path: Path, result: Path) -> None:
    place = str(tmp_path / "store")
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, place, str(result)], capture_output=True, text=True, check=True
    )
    assert "nothing more is put into it: [Errno 27] File too large" in done.stdout
    assert not list(LocalArea(tmp_path / "store").names("entries"))
    assert all(size <= 1000 for _, size in LocalArea(tmp_path / "store").names("blobs"))


def test_a_clone_is_hashed_like_a_copy(
    tmp_path: Path, result: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def clone(target: int, request: int, source: int) -> None:
        assert request == 0x40049409
        os.sendfile(target, source, 0, 1 << 20)

    monkeypatch.setattr(storage.fcntl, "ioctl", clone)
    kept = open_store(str(tmp_path / "store"), told.append)
    kept.put("artifact", KEY, "net", result)
    assert kept.get("artifact", KEY, tmp_path / "copy") is not None
    assert tree(tmp_path / "copy") == tree(result)
    damage(kept, next(name for name in names(kept) if kept.area.size_bytes(name) == 2560), lambda content: b"x" * 2560)
    assert kept.get("artifact", KEY, tmp_path / "second") is None
    assert len(told) == 1


def test_places_where_no_store_can_be_are_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"^The store .*/file is not a folder\.$"):
        open_area(str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"^The store nowhere://x: 'nowhere' is no protocol\.$"):
        open_area("nowhere://x")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingDependency) as caught:
        open_area("s3://bucket/x")
    assert caught.value.hint == "pip install 'isoform[s3]'"


def test_a_store_that_does_not_answer_is_one_line() -> None:
    with pytest.raises(IsoformError) as caught:
        open_area("ftp://127.0.0.1:9/store")
    assert caught.value.what.startswith("The store ftp://127.0.0.1:9/store ")
    assert caught.value.exit_code in (2, 4)
