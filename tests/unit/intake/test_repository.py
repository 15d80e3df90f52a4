"""The folder for the import path is told from what a file imports."""

from pathlib import Path

import pytest

from isoform.intake.repository import builders, likely_builder, locate


def file(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_stands_in_its_own_folder_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert locate(file(tmp_path / "net.py", "import torch\n")) == (tmp_path, "net.py")


def test_what_is_imported_from_further_up_makes_that_folder_the_root(tmp_path: Path) -> None:
    file(tmp_path / "pipeline" / "blocks.py")
    net = file(tmp_path / "models" / "zoo" / "net.py", "from pipeline.blocks import x\n")
    assert locate(net) == (tmp_path, "models/zoo/net.py")


def test_a_neighbour_comes_before_what_lies_further_up(tmp_path: Path) -> None:
    file(tmp_path / "blocks.py")
    file(tmp_path / "models" / "blocks.py")
    assert locate(file(tmp_path / "models" / "net.py", "import blocks\n")) == (tmp_path / "models", "net.py")


def test_relative_imports_make_it_a_module_of_its_package(tmp_path: Path) -> None:
    file(tmp_path / "a" / "__init__.py")
    file(tmp_path / "a" / "b" / "__init__.py")
    assert locate(file(tmp_path / "a" / "b" / "net.py", "from . import x\n")) == (tmp_path, "a.b.net")
    assert locate(file(tmp_path / "c" / "net.py", "from .x import y\n")) == (tmp_path, "c.net")


@pytest.mark.parametrize("text", ["def build(:\n", "\0", "(" * 5000])
def test_a_file_that_does_not_parse_is_left_to_the_child(tmp_path: Path, text: str) -> None:
    assert locate(file(tmp_path / "net.py", text)) == (tmp_path, "net.py")


def test_functions_and_classes_that_build_a_network_are_found_without_executing_the_file(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\nraise SystemExit\n"
        "class Block(torch.nn.Module):\n    def __init__(self, width): ...\n"
        "class Net(torch.nn.Module):\n    def __init__(self, width=8, *, depth=2): ...\n"
        "def build_dataset(): ...\ndef create_model(width): ...\ndef build_model(width=8): ...\n"
    )
    assert builders(file, "torch") == ["build_model", "Net"]
    assert builders(file, "keras") == []


def test_a_file_that_does_not_parse_or_knows_no_framework_builds_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import torch\ndef build(:")
    (tmp_path / "other.py").write_text("def build(): ...")
    assert builders(tmp_path / "broken.py", "torch") == []
    assert builders(tmp_path / "other.py", "torch") == []


def test_the_network_is_looked_for_beside_the_weights_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "runs"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.py").write_text("import tensorflow\ndef build(): ...")
    assert likely_builder(tmp_path / "runs" / "w.weights.h5", "keras") == "runs/net.py:build"
    assert likely_builder(tmp_path / "w.weights.h5", "keras") == "a/net.py:build"
    assert likely_builder(tmp_path / "w.weights.h5", "torch") is None
