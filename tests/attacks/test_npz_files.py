"""Arrays that a user hands over are judged by their headers first (faults 10 and 11)."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from isoform.errors import IsoformError
from isoform.intake.npz_file import refuse_bombs

X = np.ones((4, 3), np.float32)


def written(path: Path, name: str, content: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(f"{name}.npy", content)
    return path


def header(shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": dtype})
    return file.getvalue()


def refused(path: Path) -> str:
    with pytest.raises(IsoformError) as caught:
        refuse_bombs(path)
    assert str(path) in caught.value.what
    return caught.value.what


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_admitted(tmp_path: Path, save: object) -> None:
    assert callable(save)
    save(tmp_path / "x.npz", x=X, empty=np.zeros((0, 2)), scalar=np.array(1.0), text=np.array(["a", "bc"]))
    refuse_bombs(tmp_path / "x.npz")


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 62, 1 << 62), (5, 3)])
def test_a_shape_without_its_bytes_is_refused_by_name(tmp_path: Path, shape: tuple[int, ...]) -> None:
    found = refused(written(tmp_path / "x.npz", "x", header(shape) + X.tobytes()))
    assert "the array 'x' claims" in found
    assert "bytes and has 48" in found


def test_an_array_that_unpacks_to_very_many_bytes_is_refused(tmp_path: Path) -> None:
    content = header((8 << 20,)) + bytes(32 << 20)
    assert "a zip bomb: 'x.npy'" in refused(written(tmp_path / "x.npz", "x", content, zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", header((4, 3))[:40], b"hello", header((4,), "|nonsense")])
def test_what_is_no_array_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "truncated or damaged: 'x' is no array" in refused(written(tmp_path / "x.npz", "x", content))


@pytest.mark.parametrize("percent", [0, 1, 50, 99])
def test_a_cut_archive_is_truncated(tmp_path: Path, percent: int) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=X)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * percent // 100])
    assert "truncated" in refused(path)
