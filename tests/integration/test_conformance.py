"""The harness of ``make conformance`` finds planted faults: wrong numbers, dead and hanging processes, regressions."""

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from conformance import baseline, known, page, pool, suite
from conformance.forms import Run, loosen, weighted, with_weights
from conformance.verdicts import CRASHED, REFUSED, RIGHT, WRONG, Verdict, compare

CASE = "node/test_abs"
PLANTED = """
import os, time
from isoform.errors import IsoformError
def prepare(model, inputs):
    operator = model.graph.node[0].op_type
    if operator == "Acos":
        os.abort()
    if operator == "Acosh":
        time.sleep(60)
    if operator == "Add":
        raise IsoformError("no form for Add", "use another")
    return lambda given: [abs(given[0])]
"""


def judged(wanted: np.ndarray, found: np.ndarray) -> Verdict:
    return compare(suite.load(CASE), [wanted], [found])


def test_every_case_of_the_four_kinds_is_found_with_its_operator() -> None:
    assert len(suite.names()) == len(set(suite.names())) >= 2024
    assert suite.subject("node/test_gelu_tanh_1_expanded") == "Gelu"
    assert suite.subject("pytorch-converted/test_Linear") == "(PyTorch layers)"


def test_a_case_with_files_holds_its_values() -> None:
    [(inputs, outputs)] = suite.load("pytorch-converted/test_Conv2d").data_sets
    assert [array.dtype for array in (*inputs, *outputs)] == [np.float32] * (len(inputs) + len(outputs))


def test_packed_cases_are_the_same_in_another_process(tmp_path: Path) -> None:
    name = "node/test_cast_FLOAT_to_BFLOAT16"
    suite.pack([name], tmp_path)
    packed, made = suite.unpack(name, tmp_path), suite.load(name)
    assert packed.model == made.model
    assert packed.data_sets[0][1][0].dtype == ml_dtypes.bfloat16
    assert compare(made, made.data_sets[0][1], packed.data_sets[0][1]).word == RIGHT


@pytest.mark.parametrize(
    ("wanted", "found", "reason"),
    [
        (np.float32([1, 2]), np.float32([1, 2.01]), "output 0: off by up to 0.01"),
        (
            np.float32([1, 2]),
            np.float32([1, np.nan]),
            "output 0: NaN or infinity at 1 of 2 places where it should not be",
        ),
        (np.float32([1, 2]), np.float64([1, 2]), "output 0: float64 instead of float32"),
        (np.float32([1, 2]), np.float32([[1, 2]]), "output 0: shape (1, 2) instead of (2,)"),
        (np.array(["a"]), np.array([b"b"], object), "output 0: other text"),
    ],
)
def test_what_differs_is_wrong_and_said(wanted: np.ndarray, found: np.ndarray, reason: str) -> None:
    assert judged(wanted, found) == Verdict(WRONG, reason)


def test_a_missing_output_or_element_is_wrong() -> None:
    case, one = suite.load(CASE), np.float32([1])
    assert compare(case, [one], []).word == WRONG
    assert compare(case, [[one]], [[one, one]]).word == WRONG
    assert compare(case, [None], [one]).word == WRONG


def test_half_precision_may_end_four_roundings_apart_and_8_bit_floats_none() -> None:
    assert judged(np.float16([1]), np.float16([1 + 3 / 1024])).word == RIGHT
    assert judged(np.float16([1]), np.float16([1 + 6 / 1024])).word == WRONG
    eight_bits = np.array([1], ml_dtypes.float8_e4m3fn)
    assert judged(eight_bits, np.array([1.125], ml_dtypes.float8_e4m3fn)).word == WRONG


def test_weights_are_those_of_the_data_set_that_is_run() -> None:
    model = suite.load("node/test_add").model

    def prepare(held: onnx.ModelProto, inputs: list[np.ndarray]) -> Run:
        [weight] = held.graph.initializer
        assert [value.name for value in held.graph.input] == ["x"]
        return lambda given: [given[0] + numpy_helper.to_array(weight)]

    one, other = (np.full((3, 4, 5), number, np.float32) for number in (1, 2))
    run = weighted(prepare, model, [one, one])
    assert (run([one, one])[0] == 2).all()
    assert (run([one, other])[0] == 3).all()
    assert len(model.graph.input) == 2


def test_a_dynamic_form_names_every_size() -> None:
    model = with_weights(suite.load("node/test_add").model, suite.load("node/test_add").data_sets[0][0])
    assert model is not None
    loosen(model)
    [value] = model.graph.input
    assert [dim.dim_param for dim in value.type.tensor_type.shape.dim] == ["x_0", "x_1", "x_2"]


def test_a_process_that_dies_or_hangs_costs_its_case_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "target.py").write_text(PLANTED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(pool, "CASE_LIMIT_S", 5.0)
    names = [CASE, *(f"node/test_{word}" for word in ("acos", "acosh", "add", "sign", "neg"))]
    suite.pack(names, tmp_path)
    told: list[str] = []
    found = pool.run("planted.target", names, tmp_path, 2, lambda name, _: told.append(name))
    words = [verdict.word for verdict in found.values()]
    assert words == [RIGHT, CRASHED, CRASHED, REFUSED, WRONG, WRONG]
    assert "SIGABRT" in found["node/test_acos"].reason
    assert found["node/test_acosh"].reason == "no answer within 5 s"
    assert sorted(told) == sorted(names)


def test_a_target_that_cannot_be_loaded_ends_the_run_with_its_own_words(tmp_path: Path) -> None:
    suite.pack([CASE], tmp_path)
    with pytest.raises(RuntimeError, match="No module named 'absent'"):
        pool.run("absent.target", [CASE], tmp_path, 1, lambda name, verdict: None)


def test_only_what_was_right_can_become_a_regression() -> None:
    before = {"a": Verdict(RIGHT), "b": Verdict(REFUSED, "one"), "c": Verdict(RIGHT)}
    after = {"a": Verdict(REFUSED, "now"), "b": Verdict(REFUSED, "another"), "c": Verdict(RIGHT), "d": Verdict(WRONG)}
    changed = baseline.changes(before, after)
    assert [(each.name, each.is_regression) for each in changed] == [("a", True), ("d", False)]
    assert changed[0].told() == "was right, is refused (now)"


def test_records_come_back_as_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "DOCS", tmp_path)
    written = baseline.Baseline({"onnx": "1"}, {"b": Verdict(REFUSED, "why"), "a": Verdict(RIGHT)})
    baseline.write("torch", written)
    assert baseline.read("torch") == written
    assert baseline.read("tflite") == baseline.Baseline()


def test_what_has_no_known_reason_is_told() -> None:
    found = {CASE: Verdict(WRONG, "off"), "node/test_training_dropout": Verdict(WRONG, "off"), "x": Verdict(RIGHT)}
    assert known.unexplained("torch", found) == {CASE: "wrong (off)"}


def test_a_page_counts_what_the_yardstick_passes() -> None:
    found = baseline.Baseline({"onnx": "1"}, {CASE: Verdict(RIGHT), "node/test_acos": Verdict(REFUSED, "no | form")})
    text = page.rendered("torch", found, {CASE: Verdict(RIGHT), "node/test_acos": Verdict(RIGHT)})
    assert "| right | 1 | 1 | 1 |" in text
    assert "| Acos | 1 |  | 1 |  |  | no \\| form (1) |" in text
