"""Formats are told by content before suffix."""

import json
import zipfile
from pathlib import Path

import pytest

from isoform.core.format import FORMATS, detect, lookup
from isoform.errors import IsoformError, UsageError


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"")
    return path


def test_a_torchscript_archive_is_told_from_a_state_dict_of_the_same_suffix(tmp_path: Path) -> None:
    script = archive(tmp_path / "a.pt", "a/data.pkl", "a/constants.pkl", "a/code/x.py")
    state = archive(tmp_path / "b.pt", "b/data.pkl", "b/data/0")
    assert detect(script) == "torchscript"
    assert detect(state) == "torch"


def test_a_keras_archive_is_told_whatever_its_suffix(tmp_path: Path) -> None:
    assert detect(archive(tmp_path / "m.zip", "config.json", "metadata.json", "model.weights.h5")) == "keras"


def test_a_flatbuffer_is_told_by_its_identifier(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(32))
    assert detect(path) == "tflite"


def test_safetensors_are_told_by_their_header(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}).encode()
    path = tmp_path / "weights"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert detect(path) == "torch"


def test_a_saved_model_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert detect(tmp_path) == "savedmodel"


def test_the_suffix_decides_where_content_does_not(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x09")
    assert detect(path) == "onnx"


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_what_nothing_recognises_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(IsoformError, match="not a model in a format known here"):
        detect(path)


def test_an_empty_file_is_no_model_even_with_the_right_suffix(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.touch()
    with pytest.raises(IsoformError, match="not a model"):
        detect(path)


def test_a_damaged_archive_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(b"PK\x03\x04" + bytes(40))
    with pytest.raises(IsoformError, match="the zip archive is damaged"):
        detect(path)


def test_a_missing_path_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        detect(tmp_path / "nothing")


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        lookup("coreml")
    assert caught.value.hint == f"One of: {', '.join(FORMATS)}."
