"""Folders as model hubs hold them: what their configuration names, and which file holds the weights."""

import json
from pathlib import Path

import pytest

from isoform.errors import IsoformError
from isoform.intake import published
from isoform.intake.container import identify


def folder(path: Path, config: object, *files: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for name in files:
        (path / name).write_bytes(b"")
    return path


@pytest.mark.parametrize(
    ("config", "library"),
    [
        ({"model_type": "bert", "architectures": ["BertModel"]}, "transformers"),
        ({"architecture": "resnet18", "pretrained_cfg": {}, "model_type": "resnet"}, "timm"),
        ({"_class_name": "UNet2DModel"}, "diffusers"),
    ],
)
def test_the_library_is_told_from_the_keys(tmp_path: Path, config: dict[str, object], library: str) -> None:
    found = published.read(folder(tmp_path, config))
    assert found is not None
    assert (found.library, found.config) == (library, config)


def test_a_configuration_of_no_known_library_is_none(tmp_path: Path) -> None:
    assert published.read(folder(tmp_path, {"hidden": 3, "model_type": 7})) is None


def test_a_folder_without_a_configuration_is_none(tmp_path: Path) -> None:
    assert published.read(tmp_path) is None
    assert published.weights_in(tmp_path) is None


@pytest.mark.parametrize("text", ['{"model_type": "be', "[" * 100_000, "[1]"])
def test_a_damaged_configuration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(IsoformError, match=r"config\.json: (truncated or damaged|not a configuration)"):
        published.read(folder(tmp_path, text))


def test_a_configuration_larger_than_any_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsoformError, match="a configuration of"):
        published.read(folder(tmp_path, '{"x": "' + "y" * (17 << 20) + '"}'))


def test_the_preprocessor_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text('{"size": 64}')
    found = published.read(folder(tmp_path, {"model_type": "resnet"}))
    assert found is not None
    assert found.preprocessor == {"size": 64}


def test_safetensors_are_taken_before_a_pickle_as_the_libraries_do(tmp_path: Path) -> None:
    folder(tmp_path, {}, "pytorch_model.bin", "model.safetensors", "pytorch_model.bin.index.json")
    assert published.weights_in(tmp_path) == tmp_path / "model.safetensors"


def test_two_indexes_beside_a_configuration_are_one_checkpoint_in_two_forms(tmp_path: Path) -> None:
    folder(tmp_path, {}, "a.safetensors", "a.bin")
    for kind in ("model.safetensors", "pytorch_model.bin"):
        name = "a." + kind.rpartition(".")[2]
        (tmp_path / f"{kind}.index.json").write_text(json.dumps({"weight_map": {"w": name}}))
    assert identify(tmp_path).files == (tmp_path / "a.safetensors",)


def test_a_pipeline_asks_for_one_of_its_networks(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(IsoformError, match="a pipeline of several networks") as caught:
        identify(tmp_path)
    assert caught.value.hint == f"Name one: {tmp_path / 'unet'}"
