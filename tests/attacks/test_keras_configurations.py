"""What a Keras archive would import, open or run is refused before Keras sees it (faults 8 and 9)."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from isoform.errors import IsoformError
from isoform.intake.container import admit, identify


def archive(path: Path, *layers: dict[str, Any]) -> Path:
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": list(layers)}}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", "{}")
        file.writestr("config.json", json.dumps(config))
        file.writestr("model.weights.h5", b"")
    return path


def layer(name: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": config}


def refused(path: Path, **options: bool) -> IsoformError:
    with pytest.raises(IsoformError) as caught:
        admit(identify(path), **options)
    return caught.value


def test_a_network_of_keras_own_layers_is_admitted(tmp_path: Path) -> None:
    function = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"}
    admit(identify(archive(tmp_path / "m.keras", layer("Dense", units=3, activation=function))))


@pytest.mark.parametrize("name", ["Lambda", "TFSMLayer", "TorchModuleWrapper"])
@pytest.mark.parametrize("has_code", [False, True])
def test_layers_that_are_programs_are_refused(tmp_path: Path, name: str, has_code: bool) -> None:
    inner = layer("Bidirectional", layer=layer(name, safe_mode=False))
    found = refused(archive(tmp_path / "m.keras", inner), has_code=has_code)
    assert found.what == f"{tmp_path / 'm.keras'}: holds a {name} layer, which is a program."
    assert found.hint == "Write it as a layer class, save the model again, and name its module with --arch."


def test_a_module_that_is_not_keras_is_refused_unless_the_user_names_code(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", layer("system", "os"))
    assert refused(path).what == f"{path}: 'system' would be imported from 'os'."
    admit(identify(path), has_code=True)


def test_a_pickled_function_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", layer("Dense", activation={"class_name": "__lambda__", "config": {}}))
    assert "holds a Python function" in refused(path).what


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("keras.utils", "get_file"),
        ("keras.config", "enable_unsafe_deserialization"),
        ("keras.models", "load_model"),
        ("keras.saving", "load_model"),
        ("keras.src.utils.file_utils", "get_file"),
        ("keras", "__loader__"),
        ("builtins", "eval"),
        ("os", "system"),
        (["os"], "system"),
    ],
)
def test_what_is_keras_and_does_more_than_compute_is_refused(tmp_path: Path, module: object, name: str) -> None:
    path = archive(tmp_path / "m.keras", {"module": module, "class_name": name, "config": {}})
    assert refused(path).what == f"{path}: '{name}' would be imported from '{module}'."


@pytest.mark.parametrize("module", ["keras.src.applications.vgg16", "keras.utils", "keras.saving", "posix"])
def test_a_function_that_does_more_than_compute_is_refused(tmp_path: Path, module: str) -> None:
    function = {"module": module, "class_name": "function", "config": "VGG16", "registered_name": "function"}
    path = archive(tmp_path / "m.keras", layer("Dense", units=3, activation=function))
    assert refused(path).what == f"{path}: 'VGG16' would be imported from '{module}'."


@pytest.mark.parametrize(
    ("module", "name"),
    [("keras.src.ops.numpy", "Add"), ("keras", "DTypePolicy"), ("keras.src.models.functional", "Functional")],
)
def test_what_keras_itself_writes_is_admitted(tmp_path: Path, module: str, name: str) -> None:
    admit(identify(archive(tmp_path / "m.keras", {"module": module, "class_name": name, "config": {}})))


@pytest.mark.parametrize("place", ["/etc/passwd", "https://example.org/words", "gs://bucket/words", "..\\x", "words"])
def test_a_vocabulary_elsewhere_is_refused(tmp_path: Path, place: str) -> None:
    path = archive(tmp_path / "m.keras", layer("StringLookup", vocabulary=place))
    assert refused(path).what == f"{path}: would read '{place}' (the vocabulary of a layer)."


def test_a_configuration_that_is_no_json_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", "{}")
        file.writestr("config.json", "[" * 100_000)
    assert "truncated or damaged" in refused(path).what
