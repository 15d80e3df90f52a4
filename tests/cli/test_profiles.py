"""``isoform inspect --profile``: what a target does not allow, and the exit code that says so."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import smallest_files
from isoform.core import profiles
from isoform.core.parity import Gate, ParityRecord
from isoform.core.verification import Verification
from isoform.stages import profile
from isoform.stages.export import Result

HELD = {"format": "tflite", "size_bytes": 9, "precision": {"int8": 4}, "signature": None, "would_execute": []}


@pytest.mark.parametrize(("operators", "code", "line"), [
    ({"CONV_2D": 1}, 0, "allowed   microcontroller: nothing in it is refused"),
    ({"TOPK_V2": 2}, 1, "refused   TOPK_V2 x2: TensorFlow Lite Micro has no kernel for it"),
])  # fmt: skip
def test_what_a_target_refuses_is_listed_and_decides_the_exit_code(
    answer, tmp_path: Path, monkeypatch: Any, operators: dict[str, int], code: int, line: str
) -> None:
    monkeypatch.setattr(profile, "describe", lambda path, pool: {**HELD, "operators": operators})
    found = answer("inspect", str(tmp_path / "m.tflite"), "--profile", "microcontroller")
    assert (found.code, found.out.strip()) == (code, line)
    told = json.loads(answer("inspect", str(tmp_path / "m.tflite"), "--profile", "microcontroller", "--json").out)
    assert (told["profile"], len(told["findings"])) == ("microcontroller", code)


def test_what_is_only_slow_is_no_failure(answer, tmp_path: Path, monkeypatch: Any) -> None:
    held = {**HELD, "format": "onnx", "operators": {"NonMaxSuppression": 1}}
    monkeypatch.setattr(profile, "describe", lambda path, pool: held)
    found = answer("inspect", str(tmp_path / "m.onnx"), "--profile", "browser")
    assert found.code == 0
    assert found.out.startswith("slow      NonMaxSuppression x1: WebGPU has no kernel for it")


def test_a_wrong_name_or_two_questions_are_mistakes(answer, tmp_path: Path) -> None:
    found = answer("inspect", str(tmp_path), "--profile", "phon")
    assert (found.code, "There is no profile 'phon'" in found.err, "phone" in found.err) == (2, True, True)
    assert answer("inspect", "--operators", "tflite", "--profile", "phone").code == 2


def test_without_a_file_a_profile_says_what_it_allows(answer) -> None:
    lines = answer("inspect", "--profile", "microcontroller").out.splitlines()
    assert lines[:7] == [
        "engine    TensorFlow Lite Micro", "formats   tflite", "precision int8",
        "no dtype  bfloat16, float16, float32, float64", "layout    NHWC in tflite", "sizes     fixed",
        "file      of any size",
    ]  # fmt: skip
    assert lines[7].startswith("operators ABS ADD ")
    told = json.loads(answer("inspect", "--profile", "browser", "--json").out)
    assert (told["layouts"], told["largest_bytes"]) == ({"onnx": "NCHW", "ort": "NCHW"}, 2 << 30)
    assert "Conv" in told["fast_operators"]


def test_convert_refuses_what_no_model_may_be_before_any_work(answer, tmp_path: Path) -> None:
    smallest_files.tflite(tmp_path / "m.tflite")
    found = answer("convert", str(tmp_path / "m.tflite"), "--to", "onnx", "--profile", "phone")
    assert found.code == 2
    assert found.err == (
        "Error: The profile phone takes no onnx: LiteRT or ONNX Runtime opens ort and tflite.\n"
        "hint: Convert to what it opens: --to ort,tflite\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]


def verified(verdict: str = "PASS") -> Verification:
    gates = {"numerics": Gate(verdict)}
    return Verification(Path("a"), (ParityRecord("litert", verdict, "0.1 bits lost", gates),), 9, {})


@pytest.mark.parametrize(("operators", "verdict", "headline"), [
    ({"CONV_2D": 1}, "PASS", "0.1 bits lost"),
    ({"TOPK_V2": 1}, "FAIL", "0.1 bits lost; profile: refused TOPK_V2 x1: TensorFlow Lite Micro has no kernel for it"),
])  # fmt: skip
def test_verify_has_a_gate_of_the_profile_which_decides(
    monkeypatch: Any, operators: dict[str, int], verdict: str, headline: str
) -> None:
    monkeypatch.setattr(profile, "describe", lambda path, pool: {**HELD, "operators": operators})
    [record] = profile.judged(verified(), profiles.lookup("microcontroller"), None).records
    assert (record.verdict, record.headline, record.gates["profile"].verdict) == (verdict, headline, verdict)
    assert list(record.gates) == ["numerics", "profile"]


def test_a_record_without_gates_stays_what_it_is(monkeypatch: Any) -> None:
    monkeypatch.setattr(profile, "describe", lambda path, pool: {**HELD, "operators": {"TOPK_V2": 1}})
    found = Verification(Path("a"), (ParityRecord.not_verified("litert", "not here"),), 9, {})
    assert profile.judged(found, profiles.lookup("microcontroller"), None) == found


def test_a_result_that_a_profile_refuses_ends_with_1_though_it_is_proved() -> None:
    kept = Result("m", "onnx", "tflite", "passed", profile=Gate("PASS", ("slow      x",)))
    assert (kept.exit_code, replace(kept, profile=Gate("FAIL", ("refused   y",))).exit_code) == (0, 1)
