"""The table at the end, and the one command to go on with."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from isoform.cli import console, results
from isoform.cli.console import Display
from isoform.errors import IsoformError, MissingDependency
from isoform.stages.export import Result

DIFFERS = IsoformError("litert: 4.2 bits lost", "See the parity section of artifact.json.", kind="parity")
MISSING = MissingDependency.of("tensorflow", "'onnx_to_savedmodel'", "tensorflow")


def result(tmp_path: Path, name: str, status: str, verdict: str, **given: object) -> Result:
    folder = tmp_path / "net" / name
    folder.mkdir(parents=True)
    model = folder / f"model.{name}"
    model.write_bytes(bytes(1234))
    route = ("torch_to_onnx",) if name == "onnx" else ("torch_to_onnx", f"onnx_to_{name}")
    return Result("net", "torch", name, status, folder, model, route, verdict=verdict, seconds=2.25, **given)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch):
    """Return a function that shows results and gives the text."""

    def shown(found: list[Result], **options: object) -> str:
        written = io.StringIO()
        monkeypatch.setattr(
            console, "Console", lambda **given: Console(**{**given, "stderr": False, "file": written, **options})
        )
        results.show(found, Display())
        return written.getvalue()

    return shown


def test_every_result_is_a_row_and_what_failed_says_why(tmp_path: Path, table) -> None:
    found = [
        result(tmp_path, "onnx", "passed", "PASS", is_reused=True),
        result(tmp_path, "tflite", "failed", "FAIL", error=DIFFERS),
        Result("net", "torch", "savedmodel", "failed", error=MISSING),
    ]
    text = f"""
  format      verdict     size    seconds  route
✔ onnx        PASS     1.23 kB  unchanged  torch -> onnx
✘ tflite      FAIL     1.23 kB        2.2  torch -> onnx -> tflite
    litert: 4.2 bits lost
    hint: See the parity section of artifact.json.
! savedmodel  FAILED                  0.0
    'onnx_to_savedmodel' needs the package 'tensorflow', which is not installed.
    hint: pip install 'isoform[tensorflow]'

In {tmp_path}/net/
Next: pip install 'isoform[tensorflow]'
"""
    assert table(found, width=200) == text


def test_results_of_several_models_are_named_in_full(tmp_path: Path, table) -> None:
    one = result(tmp_path, "onnx", "passed", "PASS")
    other = Result("other", "keras", "onnx", "failed", error=DIFFERS)
    lines = table([one, other], width=200).splitlines()
    assert lines[2].startswith("✔ net/torch/onnx    PASS")
    assert lines[3].startswith("! other/keras/onnx  FAILED")


def test_a_narrow_terminal_gets_the_route_on_its_own_line(tmp_path: Path, table, monkeypatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    lines = table([result(tmp_path, "tflite", "passed", "PASS")], width=40, force_terminal=True).splitlines()
    assert lines[3:5] == ["✔ tflite  PASS     1.23 kB      2.2", "    torch -> onnx -> tflite"]


def test_no_color_leaves_the_signs_and_words(tmp_path: Path, table, monkeypatch) -> None:
    found = [result(tmp_path, "tflite", "passed", "PASS")]
    assert "\x1b[32m✔ tflite  PASS" in table(found, force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in table(found, force_terminal=True)


def test_the_next_command_is_what_matters_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    passed = result(tmp_path, "onnx", "passed", "PASS")
    differs = result(tmp_path, "tflite", "failed", "FAIL", error=DIFFERS)
    open_ = result(tmp_path, "torchscript", "unverified", "NOT VERIFIED")
    broken = Result("net", "torch", "savedmodel", "failed", error=IsoformError("no", "hint"))
    missing = Result("net", "torch", "savedmodel", "failed", error=MISSING)
    assert results.next_command([passed]) == "isoform bench net/onnx"
    assert results.next_command([passed, open_]) == "isoform verify net"
    assert results.next_command([passed, open_, broken]) == "isoform routes torch savedmodel"
    assert results.next_command([broken, differs, passed]) == "isoform verify net/tflite --explain"
    assert results.next_command([differs, missing]) == "pip install 'isoform[tensorflow]'"
