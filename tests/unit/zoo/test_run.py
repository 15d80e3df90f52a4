"""A run: what has a row is left alone, and whatever happens to one architecture is a row."""

import threading
from pathlib import Path
from typing import Any

import pytest

from zoo import interpreters, run
from zoo.entry import Entry
from zoo.results import Results

NET = Entry("net", "text", "torch", "somewhere:build", {}, ("ids:int64[batch]",))


class Children:
    """Stands for the interpreters: answers of an attempt by its targets; an exception is raised."""

    def __init__(self, answers: dict[tuple[str, ...], Any]) -> None:
        self.answers = answers
        self.calls: list[tuple[str, ...]] = []

    def __call__(self, module: str, *arguments: str, timeout_s: float) -> Any:
        if module == "zoo.source":
            return self._given(("source",))
        targets = arguments[3:]
        self.calls.append(targets)
        return self._given(targets, [passed(target) for target in targets])

    def _given(self, key: tuple[str, ...], otherwise: Any = None) -> Any:
        answer = self.answers.get(key, otherwise)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def passed(target: str) -> dict[str, Any]:
    return {"model": "net", "target": target, "status": "passed", "verdict": "PASS", "seconds": 1.0}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "zoo.json")


def start(monkeypatch: pytest.MonkeyPatch, answers: dict[tuple[str, ...], Any] | None = None) -> Children:
    children = Children(answers or {})
    monkeypatch.setattr(interpreters, "run", children)
    return children


def test_only_targets_without_a_row_are_converted(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    children = start(monkeypatch)
    results.add(passed("onnx"))
    run.convert([NET], ["tflite", "onnx"], results)
    assert children.calls == [("tflite",)]
    run.convert([NET], ["tflite", "onnx"], results)
    assert len(children.calls) == 1


def test_force_converts_what_has_a_row(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    children = start(monkeypatch)
    results.add(passed("onnx"))
    run.convert([NET], ["onnx"], results, run.EVERYTHING)
    assert children.calls == [("onnx",)]


def test_a_retry_converts_what_did_not_pass_and_what_is_missing(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = start(monkeypatch)
    results.add(passed("onnx"))
    results.add(run.failed(NET, "tflite", "it hung"))
    run.convert([NET], ["tflite", "onnx", "savedmodel"], results, run.FAILED)
    assert children.calls == [("tflite", "savedmodel")]


def test_a_call_that_breaks_is_repeated_by_target_to_find_the_one_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = interpreters.Broken("crash: zoo.attempt died of SIGSEGV")
    start(monkeypatch, {("tflite", "onnx"): broken, ("tflite",): broken})
    rows = run.attempted(NET, ["tflite", "onnx"])
    assert [row["verdict"] for row in rows] == ["NOT VERIFIED", "PASS"]
    assert rows[0] == {
        "model": "net", "family": "text", "framework": "torch", "target": "tflite", "status": "failed",
        "verdict": "NOT VERIFIED", "kind": "broken", "error": "crash: zoo.attempt died of SIGSEGV",
    }  # fmt: skip


def test_a_source_that_cannot_be_built_fails_for_every_target(monkeypatch: pytest.MonkeyPatch) -> None:
    start(monkeypatch, {("source",): interpreters.Broken("ImportError: no timm")})
    rows = run.attempted(NET, ["tflite", "onnx"])
    assert {row["error"] for row in rows} == {"the source could not be built: ImportError: no timm"}
    assert [row["target"] for row in rows] == ["tflite", "onnx"]


def test_rows_do_not_hold_the_name_of_the_folder_that_was_worked_in() -> None:
    assert run.without(Path("/tmp/zoo.x1"), [{"error": "/tmp/zoo.x1/net/model.onnx: damaged"}]) == [
        {"error": "net/model.onnx: damaged"}
    ]


def test_an_interrupt_keeps_the_rows_and_ends_the_children(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    start(monkeypatch, {("onnx",): KeyboardInterrupt()})
    ended = threading.Event()
    monkeypatch.setattr(interpreters, "end_all", ended.set)
    results.add(passed("tflite"))
    with pytest.raises(KeyboardInterrupt):
        run.convert([NET], ["onnx"], results)
    assert ended.is_set()
    assert list(Results(results.path).conversions) == ["net > tflite"]


def test_a_row_is_told_in_a_line() -> None:
    assert run.told(passed("onnx")) == "onnx: PASS, 1.0 s"
    assert run.told(run.failed(NET, "onnx", "it hung")) == "onnx: NOT VERIFIED: it hung"
