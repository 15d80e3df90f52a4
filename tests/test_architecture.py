"""The house keeps its own rules: rows have files and files have rows, import is cheap, no name is taken from users."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from isoform.core.format import FORMATS
from isoform.registry import CONVERTERS, RUNTIMES

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "pipeline" / "isoform"
FRAMEWORKS = {
    "torch", "tensorflow", "keras", "onnx", "onnx_ir", "onnxruntime", "tf2onnx", "ai_edge_litert", "sklearn",
    "tokenizers", "safetensors", "matplotlib", "dask",
}  # fmt: skip


def stems(folder: str) -> set[str]:
    return {path.stem for path in (SOURCE / folder).glob("*.py")} - {"__init__"}


def test_every_converter_has_a_row_and_every_row_a_file() -> None:
    assert stems("converters") == set(CONVERTERS)


def test_every_runtime_has_a_row_and_every_row_a_file() -> None:
    assert stems("runtimes") == {row.stem for row in RUNTIMES.values()}


def test_every_format_has_a_runtime_of_its_own() -> None:
    for name, row in FORMATS.items():
        assert name in RUNTIMES[row.runtime].formats


def test_every_extra_that_a_row_names_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {row.extra for row in (*CONVERTERS.values(), *RUNTIMES.values())} <= set(extras)


def test_every_command_has_a_file_and_a_one_line_help() -> None:
    from isoform import cli

    for name in cli.COMMANDS:
        assert (SOURCE / "cli" / f"{name}.py").is_file(), name


@pytest.mark.parametrize("arguments", [["-c", "import isoform"], ["-m", "isoform", "--help"]])
def test_import_and_help_load_no_framework(arguments: list[str]) -> None:
    output = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True
    ).stderr
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in output.splitlines() if "|" in line}
    assert not loaded & (FRAMEWORKS | {"numpy", "rich", "jinja2"})


def test_nothing_that_is_installed_takes_a_name_that_users_own() -> None:
    assert not list((ROOT / "pipeline").glob("__init__.py"))
    assert not list((ROOT / "models").rglob("__init__.py"))
    assert [path.name for path in (ROOT / "pipeline").iterdir() if path.is_dir()] == ["isoform"]


def test_no_source_file_is_longer_than_450_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in SOURCE.rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > 450} == {}


def test_every_target_of_the_makefile_stands_there_once_and_is_declared() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z-]+):.* ## ", text, re.MULTILINE)
    assert sorted(targets) == sorted(set(targets))
    assert set(targets) == set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())  # type: ignore[index]
