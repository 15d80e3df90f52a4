"""What compare measured of both frameworks stands in the page, and only where it did."""

import json
from pathlib import Path

from isoform.core.frameworks import COMPARE_NAME, SCHEMA_VERSION, Compared
from isoform.stages.report import write
from isoform.stages.report.collect import collect
from isoform.stages.report.sections import frameworks
from written_records import COMPARED, artifact


def compared(folder: Path, *models: Compared) -> None:
    document = {"schema_version": SCHEMA_VERSION, "models": [model.to_json() for model in models]}
    (folder / COMPARE_NAME).write_text(json.dumps(document))


def test_claims_ratios_modes_tools_and_workers_are_told(tmp_path: Path) -> None:
    artifact(tmp_path, "net", "onnx", "PASS")
    compared(tmp_path, COMPARED)
    section = frameworks.section(collect(tmp_path).compared)
    assert section.table is not None
    assert section.table.rows[0] == ("Training speed", "equal (4 : 4)", "did not hold", "--only modes")
    sheets = {sheet.name: sheet for sheet in section.sheets}
    assert list(sheets) == [
        "frameworks", "framework-ratios", "tools", "framework-modes", "framework-workers", "framework-carried",
    ]  # fmt: skip
    ratios = {row[0]: row[2:4] for row in sheets["framework-ratios"].rows}
    assert ratios["Inference speed"] == ("TensorFlow less", 0.5)
    assert ratios["Mobile deployment"] == ("the same", 1.0)
    modes = {row[2]: row[3:] for row in sheets["framework-modes"].shown}
    assert modes["xla"] == ["4.00 ms", "70.0 µs", "2e-07", ""]
    assert modes["compile"] == ["–", "–", "–", "no compiler | none at all"]
    assert [row[-1] for row in sheets["framework-workers"].shown] == ["80.0 %", "25.0 %"]
    drawings = [figure.drawing for group in section.groups for figure in group.figures if figure.drawing]
    assert ["TensorFlow / PyTorch, in turns" in drawing for drawing in drawings] == [True, False]


def test_what_was_not_measured_has_no_figure(tmp_path: Path) -> None:
    section = frameworks.section([Compared("net", COMPARED.modes)])
    assert [sheet.name for sheet in section.sheets] == ["frameworks", "framework-ratios", "framework-modes"]
    assert section.table is not None
    assert [row[0] for row in section.table.rows] == ["Training speed", "Inference speed"]


def test_a_page_without_a_comparison_does_not_speak_of_one(tmp_path: Path) -> None:
    artifact(tmp_path, "net", "onnx", "PASS")
    write(tmp_path, tmp_path / "page.html")
    assert "TensorFlow against PyTorch" not in (tmp_path / "page.html").read_text()
    compared(tmp_path, COMPARED)
    write(tmp_path, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert '<h2 id="frameworks">TensorFlow against PyTorch</h2>' in page
    assert '<a href="#frameworks">Frameworks</a>' in page


def test_a_damaged_comparison_is_named_and_stops_nothing(tmp_path: Path) -> None:
    artifact(tmp_path, "net", "onnx", "PASS")
    for damage in ("{", "[]", json.dumps({"schema_version": SCHEMA_VERSION, "models": [{"name": "net"}]})):
        (tmp_path / COMPARE_NAME).write_text(damage)
        found = collect(tmp_path)
        assert (len(found.entries), found.compared, found.unreadable) == (1, (), (COMPARE_NAME,))
