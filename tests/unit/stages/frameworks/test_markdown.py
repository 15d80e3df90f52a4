"""The tables say what was measured, with intervals, and nothing of what was not."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from isoform.core.frameworks import Compared
from isoform.core.machine import Machine
from isoform.stages.frameworks import markdown
from written_records import COMPARED, comparison

RECORD: dict[str, Any] = {
    "machine": Machine("Example 9000", "x86_64", 8, 16 << 30, "Linux 6.1", "CPython 3.11.7").to_json(), "load": 0.5,
    "versions": {"torch": "2", "keras": "3"}, "groups": 6, "command": "isoform compare models/net",
}  # fmt: skip


def written(folder: Path, *models: Compared) -> str:
    markdown.write(models, RECORD, folder / "found.md")
    return (folder / "found.md").read_text()


def test_claims_modes_memory_and_tools(tmp_path: Path) -> None:
    text = written(tmp_path, COMPARED)
    rows = [re.sub(r" +", " ", line) for line in text.splitlines() if line.startswith("|")]
    assert "| Training speed | equal (4 : 4) | 1.50 (1.50 to 1.50): TensorFlow more | **did not hold** |" in rows
    assert "| net | PyTorch | compile | does not run: no compiler / none at all | | |" in rows
    assert "| net | TensorFlow | xla | 4.00 ms | 70.0 µs | 2e-07 |" in rows
    assert "| net | 381 MiB | 725 MiB | 1.90 (1.90 to 1.90): TensorFlow more |" in rows
    assert "| net | tflite | litert | 6.00 ms | 10.0 ms | 1.40 MB | 15 MB |" in rows
    assert "| net | TensorFlow | 10.00 ms | 20.00 ms | 25 % |" in rows
    assert any("| PyTorch 80 %, TensorFlow 25 % |" in row for row in rows)
    assert "| net | TensorFlow | 1.50 MB | 6 | CUSTOM Odd |" in rows


def test_the_quadrants_are_a_drawing_beside_the_page(tmp_path: Path) -> None:
    text = written(tmp_path, COMPARED)
    assert "](found.svg)" in text
    drawing = ET.parse(tmp_path / "found.svg").getroot()
    words = " ".join(element.text or "" for element in drawing.iter())
    assert "litert net" in words


def test_what_was_not_measured_has_no_table(tmp_path: Path) -> None:
    text = written(tmp_path, Compared("net", COMPARED.modes, comparison(1.0)))
    assert "Tools of deployment" not in text
    assert not (tmp_path / "found.svg").exists()
    assert "| Mobile deployment | TensorFlow clearly ahead (5 : 3) | not measured | **cannot be told** |" in text


def test_lines_for_the_terminal() -> None:
    found = list(markdown.lines(COMPARED))
    assert found[0] == "a step of training: TensorFlow / PyTorch 1.50 (1.50 to 1.50): TensorFlow more"
    assert "PyTorch compile: does not run: no compiler | none at all" in found
    assert "tflite on litert: 6.00 ms, starts in 10.0 ms" in found
