"""What a path holds is told by its bytes; an extension alone decides nothing."""

import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest

from isoform.errors import IsoformError, UsageError
from isoform.intake.container import identify


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"")
    return path


def safetensors(path: Path) -> Path:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    return path


def onnx(path: Path) -> Path:
    path.write_bytes(b"\x08\x09" + b"\x3a\x02\x12\x00" + b"\x42\x02\x10\x11")  # ir_version, graph {name}, opset 17
    return path


def test_a_torchscript_archive_is_told_from_a_state_dict_of_the_same_suffix(tmp_path: Path) -> None:
    script = archive(tmp_path / "a.pt", "a/data.pkl", "a/constants.pkl", "a/code/x.py")
    state = archive(tmp_path / "b.pt", "b/data.pkl", "b/data/0")
    assert identify(script).format == "torchscript"
    assert identify(script).note is None
    assert identify(state).format == "torch"


def test_a_keras_archive_is_told_whatever_its_suffix(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.zip", "config.json", "metadata.json", "model.weights.h5")
    assert identify(path).format == "keras"


def test_a_flatbuffer_is_told_by_its_identifier(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(32))
    assert identify(path).format == "tflite"
    assert identify(path).note == "the extension of model.bin says PyTorch, the content is TFLite"


def test_safetensors_are_told_by_their_header(tmp_path: Path) -> None:
    assert identify(safetensors(tmp_path / "weights")).title == "safetensors"


def test_onnx_is_told_by_its_outermost_fields(tmp_path: Path) -> None:
    found = identify(onnx(tmp_path / "model.tflite"))
    assert (found.format, found.note) == (
        "onnx", "the extension of model.tflite says TFLite, the content is ONNX"
    )  # fmt: skip


def test_a_saved_model_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert identify(tmp_path).format == "savedmodel"
    with pytest.raises(IsoformError, match="truncated"):
        identify(tmp_path / "saved_model.pb")


def test_a_pickle_is_a_checkpoint_before_the_zip_archives(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    path.write_bytes(pickle.dumps({"w": 1}, protocol=2))
    assert identify(path).title == "pickle"


def test_shards_are_found_through_their_index_and_through_their_folder(tmp_path: Path) -> None:
    shard = safetensors(tmp_path / "model-00001-of-00001.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": shard.name}}))
    assert identify(index).files == (shard,)
    assert identify(tmp_path).files == (shard,)


def test_a_folder_with_configuration_and_weights_is_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    weights = safetensors(tmp_path / "model.safetensors")
    assert identify(tmp_path).files == (weights,)


@pytest.mark.parametrize("name", ["m.onnx", "m.tflite", "m.pt", "m.keras", "m.safetensors"])
def test_an_extension_alone_makes_no_model(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"hello, this is text")
    with pytest.raises(IsoformError, match="truncated or damaged: the extension says") as caught:
        identify(path)
    assert str(path) in str(caught.value)


def test_what_nothing_recognises_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"hello")
    with pytest.raises(IsoformError, match="not a model in a format known here"):
        identify(path)


def test_an_empty_file_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.touch()
    with pytest.raises(IsoformError, match="truncated: the file is empty"):
        identify(path)


@pytest.mark.parametrize(
    ("head", "words"),
    [(b"7z\xbc\xaf\x27\x1c", "7z"), (b"\x1f\x8b\x08", "gzip"), (bytes(257) + b"ustar", "tar archive")],
)
def test_archives_of_another_kind_are_named(tmp_path: Path, head: bytes, words: str) -> None:
    path = tmp_path / "m.pt"
    path.write_bytes(head + bytes(600))
    with pytest.raises(IsoformError, match=words):
        identify(path)


def test_two_models_in_one_archive_are_ambiguous(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt", "config.json", "metadata.json", "m/data.pkl", "m/constants.pkl")
    with pytest.raises(IsoformError, match="ambiguous container: Keras archive and TorchScript at once"):
        identify(path)


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    os.mkfifo(path)
    with pytest.raises(UsageError, match="a device, pipe or socket"):
        identify(path)


def test_a_missing_path_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        identify(tmp_path / "nothing")
