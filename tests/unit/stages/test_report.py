"""The page: what it shows, what it never does, and what hostile names become in it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from isoform.errors import UsageError
from isoform.stages.report import write
from isoform.stages.report.charts import Line, Point, curves, scatter
from isoform.stages.report.render import size_text, time_text, visible

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202eevil"


def parity(verdict: str, output: str = "probabilities") -> dict[str, Any]:
    return {
        "runtime": "ort-cpu", "verdict": verdict, "headline": "1.5 bits lost", "cases": 32, "sizes": {"batch": [1, 2]},
        "gates": {"structure": {"verdict": "PASS", "findings": []}}, "seconds": 1.0, "versions": {}, "error": None,
        "outputs": [{
            "name": output, "verdict": verdict, "lost_bits": 1.5, "correct_bits": 20.0, "r_rms": 2.8, "r_max": 3.0,
            "limit_rms": 8.0, "limit_max": 16.0, "rtol": 1e-6, "atol": 1e-9,
        }],
    }  # fmt: skip


def artifact(folder: Path, name: str, format_name: str, verdict: str, output: str = "probabilities") -> None:
    place = folder / "m" / "torch" / format_name
    place.mkdir(parents=True)
    record = {
        "schema_version": 1, "name": name, "framework": "torch", "format": format_name, "model": "model.bin",
        "files": {"model.bin": {"sha256": "ab" * 32, "size_bytes": 1500}}, "verdict": verdict,
        "status": "passed" if verdict == "PASS" else "failed", "parity": {"ort-cpu": parity(verdict, output)},
        "route": [{"converter": "torch_to_onnx", "versions": {"torch": "2"}, "seconds": 1.0, "peak_rss_bytes": 5}],
        "tried": [], "reproduce": "isoform export m",
    }  # fmt: skip
    (place / "artifact.json").write_text(json.dumps(record))


class Words(HTMLParser):
    """Collects the text of a page, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def page(folder: Path) -> tuple[str, Words]:
    write(folder, folder / "report.html")
    text = (folder / "report.html").read_text()
    words = Words()
    words.feed(text)
    return text, words


def test_every_verdict_has_its_own_word_and_glyph(tmp_path: Path) -> None:
    for format_name, verdict in (("onnx", "PASS"), ("tflite", "FAIL"), ("savedmodel", "INCONCLUSIVE")):
        artifact(tmp_path, "m", format_name, verdict)
    _, words = page(tmp_path)
    for text in ("✔ PASS", "✘ FAIL", "? INCONCLUSIVE"):
        assert text in re.sub(r"\s+", " ", words.text)


def test_an_infinite_error_is_shown_as_one(tmp_path: Path) -> None:
    artifact(tmp_path, "m", "onnx", "FAIL")
    path = tmp_path / "m" / "torch" / "onnx" / "artifact.json"
    record = json.loads(path.read_text())
    record["parity"]["ort-cpu"]["outputs"][0] |= {"lost_bits": None, "r_rms": None, "correct_bits": None}
    path.write_text(json.dumps(record))
    _, words = page(tmp_path)
    assert "∞ bits lost" in words.text


def test_hostile_names_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    artifact(tmp_path, HOSTILE, "onnx", "PASS", output=HOSTILE)
    text, words = page(tmp_path)
    assert "script" not in words.tags
    assert "<script>alert(1)</script>" in words.text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_page_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    artifact(tmp_path, "m", "onnx", "PASS")
    text, words = page(tmp_path)
    assert "default-src 'none'" in text
    assert not {"script", "link", "img", "iframe"} & set(words.tags)
    assert "http://" not in text
    assert "https://" not in text


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    artifact(tmp_path, "m", "onnx", "PASS")
    _, words = page(tmp_path)
    assert "Not benchmarked." in words.text
    assert "Nothing has been measured yet" in words.text


def test_a_failed_export_is_shown_unless_an_artifact_stands_there(tmp_path: Path) -> None:
    artifact(tmp_path, "m", "onnx", "PASS")
    failure = {
        "name": "m", "framework": "torch", "status": "failed", "tried": [], "reproduce": "isoform export m",
        "error": {"kind": "crashed", "message": "The child died of SIGSEGV.", "hint": "Look."},
    }  # fmt: skip
    for format_name in ("onnx", "tflite"):
        path = tmp_path / "m" / "torch" / f"{format_name}.failure.json"
        path.write_text(json.dumps(failure | {"format": format_name}))
    _, words = page(tmp_path)
    assert words.text.count("The child died of SIGSEGV.") == 1
    assert "! ERROR" in re.sub(r"\s+", " ", words.text)


def test_a_damaged_record_does_not_exist(tmp_path: Path) -> None:
    artifact(tmp_path, "m", "onnx", "PASS")
    (tmp_path / "m" / "torch" / "tflite").mkdir()
    (tmp_path / "m" / "torch" / "tflite" / "artifact.json").write_text('{"name": ')
    assert write(tmp_path, tmp_path / "report.html")["artifacts"] == 1


def test_an_empty_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no artifact below it"):
        write(tmp_path, tmp_path / "report.html")


def test_a_scatter_chart_names_each_point_and_series() -> None:
    drawing = scatter([Point(1.0, 0.1, "ONNX", "a & b"), Point(100.0, 10.0, "TFLite", "c", (8.0, 12.0))], "x", "y")
    assert "<title>a &amp; b</title>" in drawing
    assert drawing.count("<circle") == 2  # the mark and its key
    assert drawing.count("<polygon") == 2
    assert scatter([], "x", "y") == ""


def test_curves_survive_one_epoch_and_equal_values() -> None:
    assert "polyline" in curves([Line("torch train", [0.5])], "loss")
    assert curves([Line("torch train", [])], "loss") == ""


@pytest.mark.parametrize(
    ("value", "text"), [(950, "950 ns"), (12_300, "12.3 µs"), (4_560_000, "4.56 ms"), (2.5e9, "2.5 s")]
)
def test_times_have_the_unit_that_suits_them(value: float, text: str) -> None:
    assert time_text(value) == text


def test_sizes_and_control_characters_are_readable() -> None:
    assert [size_text(size) for size in (12, 1500, 67_400_000)] == ["12 B", "1.5 kB", "67.4 MB"]
    assert visible("a\x00b\u202e") == "a\\x00b\\x202e"
