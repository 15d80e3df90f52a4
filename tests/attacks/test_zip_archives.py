"""Archives are judged by their directory and headers before any member is unpacked (faults 4, 5, 11, 19)."""

import resource
import stat
import zipfile
from pathlib import Path

import pytest

from attacks.archives import lying_directory, patched, written
from isoform.errors import IsoformError
from isoform.intake.zip_archive import MOST_MEMBERS, check_bytes, open_checked


def refused(path: Path) -> str:
    before = path.read_bytes()
    with pytest.raises(IsoformError) as caught, open_checked(path) as archive:
        check_bytes(path, archive)
    assert path.read_bytes() == before
    assert str(path) in caught.value.what
    assert caught.value.hint
    return caught.value.what


def test_an_honest_archive_is_opened(tmp_path: Path) -> None:
    path = written(tmp_path / "m.pt", {"m/data.pkl": b"x" * 1000, "m/data/0": bytes(100)}, zipfile.ZIP_DEFLATED)
    with open_checked(path) as archive:
        check_bytes(path, archive)


def test_a_wrong_checksum_names_the_member(tmp_path: Path) -> None:
    path = patched(written(tmp_path / "m.pt", {"m/data/0": b"weights!"}), b"weights!", b"weightS!")
    assert "the member 'm/data/0' is damaged" in refused(path)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "C:/x", "a\\b"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    assert "leads out of its folder" in refused(written(tmp_path / "m.pt", {name: b""}))


@pytest.mark.parametrize(("one", "two"), [("m/a", "m/A"), ("m/\u00e9", "m/e\u0301")])
def test_names_equal_but_for_case_or_unicode_form_are_refused(tmp_path: Path, one: str, two: str) -> None:
    assert "have one name" in refused(written(tmp_path / "m.pt", {one: b"", two: b""}))


def test_duplicate_members_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "m.pt", {"m/data.pkl": b"1", "m/data.pkx": b"2"})
    assert "have one name" in refused(patched(path, b"data.pkx", b"data.pkl", count=2))


def test_headers_that_disagree_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "m.pt", {"m/data.pkl": b"1"})
    assert "two headers of the member" in refused(patched(path, b"data.pkl", b"evil.pkl"))
    assert "two headers" in refused(lying_directory(written(tmp_path / "n.pt", {"m/data.pkl": b"1"}), 7))


def test_bytes_before_and_behind_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "m.pt", {"m/data.pkl": b"1"})
    honest = path.read_bytes()
    path.write_bytes(b"\x80\x02N." + honest)
    assert "bytes stand before" in refused(path)
    path.write_bytes(honest + b"\x80\x02N.")
    assert "bytes stand behind" in refused(path)


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    info = zipfile.ZipInfo("m/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "a link or a device" in refused(path)


def test_a_bomb_is_refused_from_its_directory_within_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("m/data/0", "w") as member:
        for _ in range(100):
            member.write(bytes(1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "a zip bomb" in refused(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_a_bomb_of_many_members_is_refused_by_its_total(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoform.intake.zip_archive._SMALL_BYTES", 1 << 20)
    path = tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(300):
            archive.writestr(f"m/data/{number}", bytes(1_000_000))
    assert "a zip bomb" in refused(path)


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_MEMBERS < 1_000_000
    monkeypatch.setattr("isoform.intake.zip_archive.MOST_MEMBERS", 3)
    path = written(tmp_path / "m.pt", {f"m/{number}": b"" for number in range(4)})
    assert "has 4 members, more than 3" in refused(path)


@pytest.mark.parametrize("percent", [1, 50, 99])
def test_a_cut_archive_is_truncated(tmp_path: Path, percent: int) -> None:
    path = written(tmp_path / "m.pt", {"m/data.pkl": b"1" * 500, "m/data/0": bytes(5000)})
    data = path.read_bytes()
    path.write_bytes(data[: max(4, len(data) * percent // 100)])
    assert "truncated" in refused(path)
