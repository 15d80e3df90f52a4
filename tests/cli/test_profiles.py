"""``isoform inspect --profile``: what a target does not allow, and the exit code that says so."""

import json
from pathlib import Path
from typing import Any

import pytest

from isoform.stages import inspect

HELD = {"format": "tflite", "size_bytes": 9, "precision": {"int8": 4}, "signature": None, "would_execute": []}


@pytest.mark.parametrize(("operators", "code", "line"), [
    ({"CONV_2D": 1}, 0, "allowed   microcontroller: nothing in it is refused"),
    ({"TOPK_V2": 2}, 1, "refused   TOPK_V2 x2: TensorFlow Lite Micro has no kernel for it"),
])  # fmt: skip
def test_what_a_target_refuses_is_listed_and_decides_the_exit_code(
    answer, tmp_path: Path, monkeypatch: Any, operators: dict[str, int], code: int, line: str
) -> None:
    monkeypatch.setattr(inspect, "describe", lambda path, pool: {**HELD, "operators": operators})
    found = answer("inspect", str(tmp_path / "m.tflite"), "--profile", "microcontroller")
    assert (found.code, found.out.strip()) == (code, line)
    told = json.loads(answer("inspect", str(tmp_path / "m.tflite"), "--profile", "microcontroller", "--json").out)
    assert (told["profile"], len(told["findings"])) == ("microcontroller", code)


def test_what_is_only_slow_is_no_failure(answer, tmp_path: Path, monkeypatch: Any) -> None:
    held = {**HELD, "format": "onnx", "operators": {"NonMaxSuppression": 1}}
    monkeypatch.setattr(inspect, "describe", lambda path, pool: held)
    found = answer("inspect", str(tmp_path / "m.onnx"), "--profile", "browser")
    assert found.code == 0
    assert found.out.startswith("slow      NonMaxSuppression x1: WebGPU has no kernel for it")


def test_a_wrong_name_or_two_questions_are_mistakes(answer, tmp_path: Path) -> None:
    found = answer("inspect", str(tmp_path), "--profile", "phon")
    assert (found.code, "There is no profile 'phon'" in found.err, "phone" in found.err) == (2, True, True)
    assert answer("inspect", "--operators", "tflite", "--profile", "phone").code == 2
