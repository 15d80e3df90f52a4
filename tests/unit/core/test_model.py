"""Manifests: what they say, and how a wrong one is refused."""

from pathlib import Path

import pytest

from isoform.core.model import load_manifest
from isoform.errors import UsageError

MANIFEST = """
[model]
name = "net"
[parameters]
size = 8
[[inputs]]
name = "image"
dtype = "float32"
shape = ["batch", 3, "{size}", "{size}"]
layout = "NCHW"
[[outputs]]
name = "probabilities"
dtype = "float32"
shape = ["batch", 10]
[torch]
factory = "net:build"
checkpoint = "weights.safetensors"
[keras]
factory = "knet:build"
checkpoint = "weights.keras"
layouts = {image = "NHWC"}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "isoform.toml").write_text(text)
    return folder


def test_a_parameter_fills_the_shapes_that_name_it(tmp_path: Path) -> None:
    model = load_manifest(write(tmp_path, MANIFEST), {"size": 16})
    assert model.signature.inputs[0].shape == ("batch", 3, 16, 16)
    assert model.architecture("torch").arguments == {"size": 16}


def test_the_label_names_only_parameters_that_differ(tmp_path: Path) -> None:
    write(tmp_path, MANIFEST)
    assert load_manifest(tmp_path).label == "net"
    assert load_manifest(tmp_path, {"size": 8}).label == "net"
    assert load_manifest(tmp_path, {"size": 16}).label == "net-size-16"


def test_each_framework_has_its_own_layout(tmp_path: Path) -> None:
    model = load_manifest(write(tmp_path, MANIFEST))
    assert model.signature_for("torch").inputs[0].shape == ("batch", 3, 8, 8)
    assert model.signature_for("keras").inputs[0].shape == ("batch", 8, 8, 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[model]", "[modle]", "the top level has the unknown key 'modle'."),
        ('name = "net"', "", "'name' is missing."),
        ('checkpoint = "weights.keras"', 'chekpoint = "w"', "[keras] has the unknown key 'chekpoint'."),
        ("{size}", "{width}", "'{width}' names no parameter."),
        ("[model]", "[model", "not valid TOML"),
    ],
)
def test_a_wrong_manifest_is_refused_by_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    write(tmp_path, MANIFEST.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        load_manifest(tmp_path)
    assert str(tmp_path / "isoform.toml") in caught.value.what
    assert message in caught.value.what


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("epochs = 2.5", "in [train], epochs is 2.5."),
        ('schedule = "cosin"', "in [train], schedule is 'cosin'."),
        ("epoch = 2", "[train] has the unknown key 'epoch'."),
    ],
)
def test_a_wrong_training_option_is_refused_by_file_and_key(tmp_path: Path, line: str, message: str) -> None:
    write(tmp_path, f"{MANIFEST}\n[train]\n{line}\n")
    with pytest.raises(UsageError) as caught:
        load_manifest(tmp_path)
    assert caught.value.what == f"{tmp_path / 'isoform.toml'}: {message}"


def test_a_missing_manifest_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no isoform.toml in this folder"):
        load_manifest(tmp_path)


def test_an_unknown_parameter_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_manifest(write(tmp_path, MANIFEST), {"colour": 1})
    assert caught.value.hint == "It has: size."


def test_an_absent_framework_lists_the_present_ones(tmp_path: Path) -> None:
    model = load_manifest(write(tmp_path, MANIFEST.split("[keras]")[0]))
    with pytest.raises(UsageError) as caught:
        model.implementation("keras")
    assert caught.value.hint == "It has: torch. Choose one with --framework."
