"""Two runs side by side: what may be called a change, and what may not."""

import json
from pathlib import Path

import pytest

from isoform.errors import UsageError
from isoform.stages.report import write
from isoform.stages.report.change import Change, changes, read_turns
from isoform.stages.report.collect import collect
from isoform.stages.report.render import compose
from written_records import artifact, measured


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    return before, after


def told(runs: tuple[Path, Path], turns: Path | None = None) -> list[Change]:
    before, after = runs
    return changes(collect(before), collect(after), after, read_turns(turns) if turns else {})


def timed(path: Path, artifact_path: str, word: str, ratio: float = 1.1) -> Path:
    comparison = {"threads": 1, "verdict": word, "ratio": ratio, "interval_95": [1.05, 1.2], "threshold": 0.03}
    entry = {"path": artifact_path, "baseline": "b", "runtime": "ort-cpu", "error": None, "comparisons": [comparison]}
    path.write_text(json.dumps([entry]))
    return path


def line(runs: tuple[Path, Path], found: list[Change]) -> dict[str, object]:
    sheet = next(each for each in compose(collect(runs[1]), found).sheets if each.name == "before-after")
    return dict(zip(sheet.document["columns"], sheet.document["data"][0], strict=True))


def test_equal_runs_changed_nothing(runs: tuple[Path, Path]) -> None:
    for folder in runs:
        artifact(folder, "m", "onnx", "PASS")
    (change,) = told(runs)
    assert (change.worse, change.better, change.status) == ([], [], "")
    assert line(runs, [change])["told"] == "nothing that counts"


def test_a_verdict_bits_and_a_size_that_became_worse_are_told(runs: tuple[Path, Path]) -> None:
    artifact(runs[0], "m", "onnx", "PASS", lost_bits=0.5, size_bytes=1000)
    artifact(runs[1], "m", "onnx", "WARN", lost_bits=2.6, size_bytes=1500)
    (change,) = told(runs)
    assert change.worse == ["verdict WARN, was PASS", "2.6 bits lost, were 0.5", "50 % larger"]
    (change,) = told((runs[1], runs[0]))
    assert change.better == ["verdict PASS, was WARN", "0.5 bits lost, were 2.6", "33 % smaller"]


def test_two_bits_and_one_percent_do_not_count(runs: tuple[Path, Path]) -> None:
    artifact(runs[0], "m", "onnx", "PASS", lost_bits=0.0, size_bytes=1000)
    artifact(runs[1], "m", "onnx", "PASS", lost_bits=2.0, size_bytes=1010)
    (change,) = told(runs)
    assert change.worse == []


def test_two_latencies_of_different_days_are_never_called_different(runs: tuple[Path, Path]) -> None:
    measured(artifact(runs[0], "m", "onnx", "PASS"), 1000)
    measured(artifact(runs[1], "m", "onnx", "PASS"), 9000)
    (change,) = told(runs)
    assert (change.worse, change.better) == ([], [])
    assert line(runs, [change])["latency"] == "1.00 µs, then 9.00 µs: different days, not comparable"


@pytest.mark.parametrize(
    ("word", "worse"), [("slower", 1), ("same", 0), ("not distinguishable", 0), ("machine unfit", 0), ("faster", 0)]
)
def test_latencies_timed_in_turns_are_told_with_their_word(runs: tuple[Path, Path], word: str, worse: int) -> None:
    for folder in runs:
        artifact(folder, "m", "onnx", "PASS")
    (change,) = told(runs, timed(runs[0] / "turns.json", "elsewhere/after/m/torch/onnx", word))
    assert len(change.worse) == worse
    assert len(change.better) == (word == "faster")
    assert line(runs, [change])["latency"] == f"{word}, × 1.100 (1.050 to 1.200) on ort-cpu, threads: 1"


def test_turns_of_another_artifact_are_not_taken(runs: tuple[Path, Path]) -> None:
    for folder in runs:
        artifact(folder, "m", "onnx", "PASS")
    (change,) = told(runs, timed(runs[0] / "turns.json", "after/other/torch/onnx", "slower"))
    assert change.turns == ()


def test_what_is_new_and_what_is_gone_are_called_so_and_the_worse_come_first(runs: tuple[Path, Path]) -> None:
    artifact(runs[0], "m", "onnx", "PASS")
    artifact(runs[0], "m", "tflite", "PASS")
    artifact(runs[1], "m", "tflite", "FAIL")
    artifact(runs[1], "m", "savedmodel", "PASS")
    assert [(change.entry.format, change.status) for change in told(runs)] == [
        ("tflite", ""), ("onnx", "gone"), ("savedmodel", "new"),
    ]  # fmt: skip


def test_another_precision_is_another_export(runs: tuple[Path, Path]) -> None:
    artifact(runs[0], "m", "onnx", "PASS")
    artifact(runs[1], "m", "onnx", "PASS", precision="int8")
    assert sorted(change.status for change in told(runs)) == ["gone", "new"]


def test_a_file_that_is_no_answer_of_bench_is_a_usage_error(runs: tuple[Path, Path]) -> None:
    artifact(runs[1], "m", "onnx", "PASS")
    path = runs[0] / "turns.json"
    for content in ("{}", "[1]", '[{"path": "a", "comparisons": [{}]}]', "no"):
        path.write_text(content)
        with pytest.raises(UsageError, match="not what isoform bench --baseline --json prints"):
            write(runs[1], runs[1] / "report.html", runs[1], path)
