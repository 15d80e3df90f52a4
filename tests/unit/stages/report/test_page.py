"""The page: what it shows, what it never does, and what hostile names become in it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from isoform.errors import UsageError
from isoform.stages.report import write
from isoform.stages.report.collect import collect
from isoform.stages.report.ranking import tables
from isoform.stages.report.render import compose
from isoform.stages.report.text import figure_text, size_text, time_text, visible
from written_records import artifact, measured, training

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202eevil"


class Words(HTMLParser):
    """Collects the text of a page, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def line(self) -> str:
        return re.sub(r"\s+", " ", self.text)


def page(folder: Path) -> tuple[str, Words]:
    write(folder, folder / "report.html")
    text = (folder / "report.html").read_text()
    words = Words()
    words.feed(text)
    return text, words


def test_every_verdict_has_its_own_word_and_glyph(tmp_path: Path) -> None:
    for format_name, verdict in (("onnx", "PASS"), ("tflite", "FAIL"), ("savedmodel", "INCONCLUSIVE")):
        artifact(tmp_path, "m", format_name, verdict)
    artifact(tmp_path, "m", "torchscript", "NOT VERIFIED")
    _, words = page(tmp_path)
    for text in ("✔ PASS", "✘ FAIL", "? INCONCLUSIVE", "– NOT VERIFIED"):
        assert text in words.line


@pytest.mark.parametrize("name", [HOSTILE, "\u202e\u2066x", "\ud800", "tab\tnull\x00", "'\"><svg onload=x>"])
def test_hostile_names_are_shown_and_not_obeyed(tmp_path: Path, name: str) -> None:
    measured(artifact(tmp_path, name, "onnx", "PASS", output=name), 10)
    text, words = page(tmp_path)
    assert "script" not in words.tags
    assert "<svg onload" not in text
    assert not [char for char in text if not char.isprintable() and char != "\n"]


def test_markup_in_a_name_is_text(tmp_path: Path) -> None:
    artifact(tmp_path, HOSTILE, "onnx", "PASS")
    _, words = page(tmp_path)
    assert "<script>alert(1)</script>\\x1b[31m\\u202eevil" in words.text


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
    assert "not benchmarked: isoform bench" in words.text
    assert "No training record below this folder." in words.text


def test_an_infinite_error_is_shown_as_one(tmp_path: Path) -> None:
    artifact(tmp_path, "m", "onnx", "FAIL", lost_bits=None)
    _, words = page(tmp_path)
    assert "∞ bits lost" in words.line


def test_a_failed_artifact_is_struck_out_and_has_no_rank_even_if_it_is_the_fastest(tmp_path: Path) -> None:
    measured(artifact(tmp_path, "m", "onnx", "FAIL"), 10)
    measured(artifact(tmp_path, "m", "tflite", "PASS"), 500)
    (table,) = tables(collect(tmp_path).entries)
    assert [(row.entry.format, row.place) for row in table.rows] == [("tflite", "1"), ("onnx", "")]
    text, words = page(tmp_path)
    assert "<s>ONNX torch</s>" in text
    assert words.tags.count("s") == 2  # the name and the figure
    assert "not ranked" in words.text


def test_overlapping_intervals_share_a_rank(tmp_path: Path) -> None:
    for format_name, medians in (("onnx", (10, 14)), ("tflite", (13, 15)), ("savedmodel", (20, 21))):
        measured(artifact(tmp_path, "m", format_name, "PASS"), *medians)
    (table,) = tables(collect(tmp_path).entries)
    assert [row.place for row in table.rows] == ["1=", "1=", "3"]


def test_other_batches_are_never_ranked_together(tmp_path: Path) -> None:
    measured(artifact(tmp_path, "m", "onnx", "PASS"), 10)
    measured(artifact(tmp_path, "m", "tflite", "PASS"), 10, batch=8)
    assert [(table.batch, len(table.rows)) for table in tables(collect(tmp_path).entries)] == [(1, 1), (8, 1)]


def test_figures_that_deserve_doubt_say_why(tmp_path: Path) -> None:
    measured(artifact(tmp_path, "m", "onnx", "PASS"), 10, is_steady=False, load=8.5)
    _, words = page(tmp_path)
    assert "never became steady, other work ran: load 8.5" in words.line


@pytest.mark.parametrize("is_generated", [True, False])
def test_generated_data_is_called_so_where_the_accuracy_stands(tmp_path: Path, is_generated: bool) -> None:
    artifact(tmp_path, "m", "onnx", "PASS")
    training(tmp_path, "torch", is_generated=is_generated)
    _, words = page(tmp_path)
    assert ("0.912 reviews generated" in words.line) is is_generated
    assert "torch train 0.750" in words.text


def test_equal_records_give_an_equal_page(tmp_path: Path) -> None:
    measured(artifact(tmp_path, "m", "onnx", "PASS"), 10)
    assert page(tmp_path)[0] == page(tmp_path)[0]


def test_every_link_leads_to_something_on_the_page(tmp_path: Path) -> None:
    for framework in ("torch", "keras"):
        artifact(tmp_path, "a b/<c>", "onnx", "PASS", framework)
    text, _ = page(tmp_path)
    links, ids = re.findall(r'href="#([^"]*)"', text), re.findall(r' id="([^"]*)"', text)
    assert links
    assert set(links) <= set(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("home", ["", "pages/deep", "../beside"])
@pytest.mark.parametrize("place", ["m", "a b", "50% #1?", "javascript:alert(1)", "ü"])
def test_links_to_files_lead_there_from_wherever_the_page_stands(tmp_path: Path, place: str, home: str) -> None:
    folder = tmp_path / "exports"
    artifact(folder, "m", "onnx", "PASS", place=place)
    target = folder / home / "report.html"
    write(folder, target)
    links = re.findall(r'<li><a href="([^"#]*)">', target.read_text())
    assert [Path(unquote(link)).name for link in links] == ["model.bin", "artifact.json"]
    assert all(link.startswith("./") for link in links)
    assert all((target.parent / unquote(link)).is_file() for link in links)


def test_tables_are_written_as_files_as_well(tmp_path: Path) -> None:
    measured(artifact(tmp_path, "m", "onnx", "PASS"), 10)
    write(tmp_path, tmp_path / "report.html", tables_to=tmp_path / "tables")
    page = compose(collect(tmp_path))
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {
        "tables.md", *(f"{sheet.name}.csv" for sheet in page.sheets),
    }  # fmt: skip
    assert (tmp_path / "tables" / "parity.csv").read_bytes().decode() == page.verdicts.csv
    assert (tmp_path / "tables" / "tables.md").read_text().startswith("## The best of each model\n\n| Model |")


def test_a_failed_export_is_shown_unless_an_artifact_stands_there(tmp_path: Path) -> None:
    artifact(tmp_path, "m", "onnx", "PASS")
    failure = {
        "schema_version": 1, "name": "m", "framework": "torch", "status": "failed", "tried": [],
        "reproduce": "isoform export m",
        "error": {"kind": "crashed", "message": "The child died of SIGSEGV.", "hint": "Look."},
    }  # fmt: skip
    for format_name in ("onnx", "tflite"):
        path = tmp_path / "m" / "torch" / f"{format_name}.failure.json"
        path.write_text(json.dumps(failure | {"format": format_name}))
    _, words = page(tmp_path)
    assert words.text.count("The child died of SIGSEGV.") == 1
    assert "! ERROR" in re.sub(r"\s+", " ", words.text)


@pytest.mark.parametrize("content", ['{"name": ', "[]", '{"schema_version": 1, "name": "m"}', '{"schema_version": 9}'])
def test_a_damaged_record_is_named_and_stops_nothing(tmp_path: Path, content: str) -> None:
    artifact(tmp_path, "m", "onnx", "PASS")
    (tmp_path / "m" / "torch" / "tflite").mkdir()
    (tmp_path / "m" / "torch" / "tflite" / "artifact.json").write_text(content)
    summary = write(tmp_path, tmp_path / "report.html")
    assert summary["artifacts"] == 1
    assert summary["unreadable"] == ["m/torch/tflite/artifact.json"]
    assert "1 unreadable: m/torch/tflite/artifact.json" in page(tmp_path)[1].line


def test_a_damaged_benchmark_is_none(tmp_path: Path) -> None:
    place = artifact(tmp_path, "m", "onnx", "PASS")
    (place / "bench.json").write_text('{"schema_version": 1, "records": [{"key": 1}]}')
    assert "Not benchmarked." in page(tmp_path)[1].text


def test_unfinished_folders_and_files_inside_a_model_are_no_records(tmp_path: Path) -> None:
    place = artifact(tmp_path, "m", "savedmodel", "PASS")
    for folder in (place / "saved_model" / "assets", tmp_path / "m" / "torch" / ".onnx.tmp"):
        folder.mkdir(parents=True)
        (folder / "artifact.json").write_text((place / "artifact.json").read_text())
    assert len(collect(tmp_path).entries) == 1


def test_an_empty_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no artifact below it"):
        write(tmp_path, tmp_path / "report.html")


@pytest.mark.parametrize(
    ("value", "text"), [(950, "950 ns"), (12_300, "12.3 µs"), (4_560_000, "4.56 ms"), (2.5e9, "2.50 s")]
)
def test_times_have_the_unit_that_suits_them(value: float, text: str) -> None:
    assert time_text(value) == text


def test_sizes_and_control_characters_are_readable() -> None:
    assert [size_text(size) for size in (12, 1500, 67_400_000)] == ["12 B", "1.50 kB", "67.4 MB"]
    assert visible("a\x00b\u202e") == "a\\x00b\\u202e"
    assert visible("x" * 5_000).endswith("… (1000 more characters)")
    assert [figure_text(value, ".1f") for value in (None, float("inf"), 1.25, 3)] == ["–", "∞", "1.2", "3.0"]


def planted(place: Path, key: str) -> None:
    """Put a test of the test beside an artifact: one fault caught, one missed."""
    faults = [
        {"fault": fault, "place": f"'{HOSTILE}'", "verdict": verdict, "gates": gates, "caught": verdict == "FAIL"}
        for fault, verdict, gates in (("a dropped bias", "FAIL", ["weights"]), ("another epsilon", "PASS", []))
    ]
    record = {"schema_version": 1, "key": key, "runtime": "ort-cpu", "control": "PASS", "reason": "", "caught": 1}
    (place / "self_test.json").write_text(json.dumps(record | {"planted": faults}))


def test_the_page_tells_which_planted_faults_were_caught(tmp_path: Path) -> None:
    planted(artifact(tmp_path, "net", "onnx", "PASS"), "k")
    write(tmp_path, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "of 2 faults planted in copies of these files, 1 were caught (50.0 %)" in page
    assert "self-test: 1 of 2 planted faults caught on ort-cpu" in page
    assert "a dropped bias: caught by weights" in page
    assert "another epsilon: missed" in page
    assert "<script>" not in page


def test_a_self_test_of_an_earlier_artifact_is_not_shown(tmp_path: Path) -> None:
    planted(artifact(tmp_path, "net", "onnx", "PASS"), "another key")
    write(tmp_path, tmp_path / "report.html")
    assert "planted" not in (tmp_path / "report.html").read_text()
