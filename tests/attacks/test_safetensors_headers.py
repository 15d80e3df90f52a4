"""Headers that no writer of the format makes are refused, the tensor named (faults 11 and 18)."""

import json
from pathlib import Path

import pytest

from isoform.errors import IsoformError
from isoform.intake.safetensors_file import read_header


def row(begin: int, end: int, shape: list[int] | None = None, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": [(end - begin) // 4] if shape is None else shape, "data_offsets": [begin, end]}


def written(path: Path, header: object, data: bytes = bytes(16), length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def refused(path: Path) -> str:
    with pytest.raises(IsoformError) as caught:
        read_header(path)
    assert str(path) in caught.value.what
    return caught.value.what


def test_an_honest_header_is_read_in_the_order_of_its_bytes(tmp_path: Path) -> None:
    path = written(tmp_path / "w", {"b": row(8, 16), "a": row(0, 8), "__metadata__": {"format": "pt"}})
    assert [(tensor.name, tensor.shape) for tensor in read_header(path)] == [("a", (2,)), ("b", (2,))]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"a": row(0, 12), "b": row(8, 16)}, "the tensor 'b' overlaps the one before (byte 8, expected 12)"),
        ({"a": row(0, 4), "b": row(8, 16)}, "the tensor 'b' leaves a hole before it (byte 8, expected 4)"),
        ({"a": row(0, 400)}, "truncated: the tensors take 400 bytes, the file has 16"),
        ({"a": row(0, 8)}, "8 bytes stand behind the last tensor"),
        ({"a": row(0, 16, [5])}, "the tensor 'a', F32 [5], wants 20 bytes and has 16"),
        ({"a": row(0, 16, [2**40, 2**40])}, "wants"),
        ({"a": row(0, 16, [-4])}, "an impossible shape or offset"),
        ({"a": row(16, 0, [4])}, "the tensor 'a', F32 [4], wants 16 bytes and has -16"),
        ({"a": row(0, 16, dtype="F99")}, "the unknown dtype 'F99'"),
        ({"a": {"dtype": "F32"}}, "no dtype, shape or two offsets"),
        ({"a": {"dtype": ["F32"], "shape": [4], "data_offsets": [0, 16]}}, "the unknown dtype"),
        ({"a": {"dtype": "F32", "shape": [4.0], "data_offsets": [0, 16]}}, "an impossible shape"),
        ([1], "not a JSON object"),
        (b'{"a": ', "the header is not JSON"),
        (b'{"a":' * 5000, "the header is not JSON"),
        (b"{\xff}", "the header is not JSON"),
    ],
)
def test_a_lying_header_is_refused(tmp_path: Path, header: object, words: str) -> None:
    assert words in refused(written(tmp_path / "w.safetensors", header))


def test_duplicate_names_are_refused(tmp_path: Path) -> None:
    one = json.dumps(row(0, 16))
    text = f'{{"a": {one}, "a": {one}}}'.encode()
    assert "the name 'a' stands twice" in refused(written(tmp_path / "w.safetensors", text))


def test_a_length_beyond_the_file_is_truncated(tmp_path: Path) -> None:
    assert "truncated: the header should have" in refused(written(tmp_path / "w", {}, length=2**63))


def test_a_header_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "w"
    with path.open("wb") as file:
        file.write((100_000_001).to_bytes(8, "little") + b'{"')
        file.truncate(100_000_100)
    assert "more than 100000000" in refused(path)


@pytest.mark.parametrize("percent", [1, 50, 99])
def test_a_cut_file_is_truncated(tmp_path: Path, percent: int) -> None:
    path = written(tmp_path / "w", {"a": row(0, 4000)}, bytes(4000))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * percent // 100])
    assert "truncated" in refused(path)
