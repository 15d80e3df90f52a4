"""The record of a verification, from made-up outputs."""

import numpy as np
import pytest

from isoform.core import generation
from isoform.core.cases import Cases, Floor
from isoform.core.parity import NOT_CHECKED, Gate, ParityRecord, assess, worst
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError

SIGNATURE = Signature((TensorSpec.parse("x:float32[batch,10]"),), (TensorSpec.parse("p:float32[batch,10]"),))
PROVED = Gate("PASS")


@pytest.fixture
def recorded() -> Cases:
    """A source that is softmax, in float64 and in float32."""
    cases = generation.generate(SIGNATURE)

    def softmax(x: np.ndarray) -> np.ndarray:
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    exact = [{"p": softmax(case["x"].astype(np.float64))} for case in cases.inputs]
    return cases.with_reference(
        exact, [{"p": softmax(case["x"])} for case in cases.inputs], {"p": (Floor(1e-9, 1e-8),) * len(exact)}
    )


def judged(
    cases: Cases, change=lambda p: p, weights: Gate = PROVED, found: Signature = SIGNATURE, semantics: Gate = PROVED
) -> ParityRecord:
    assert cases.source is not None
    outputs = [{"p": change(case["p"])} for case in cases.source]
    return assess("ort-cpu", SIGNATURE, found, cases, outputs, weights, semantics)


def test_the_sources_own_outputs_pass_and_the_record_survives_json(recorded: Cases) -> None:
    record = judged(recorded)
    assert record.verdict == "PASS"
    assert record.headline.startswith("0.0 bits lost")
    assert record.sizes == {"batch": [1, 2, 3, 5]}
    assert ParityRecord.from_json(record.to_json()) == record


def test_two_swapped_classes_fail(recorded: Cases) -> None:
    record = judged(recorded, lambda p: p[:, [1, 0, *range(2, 10)]])
    assert record.verdict == "FAIL"
    assert record.gates["structure"].verdict == "FAIL"
    assert record.gates["numerics"].verdict == "FAIL"


def test_a_wrong_weight_fails_even_where_the_outputs_agree(recorded: Cases) -> None:
    record = judged(recorded, weights=Gate("FAIL", ("'w' is not in the export",)))
    assert record.verdict == "FAIL"
    assert "weights: 'w' is not in the export" in record.headline


def test_unchecked_weights_pass_and_say_so(recorded: Cases) -> None:
    record = judged(recorded, weights=Gate(NOT_CHECKED, ("no ledger",)))
    assert record.verdict == "PASS"
    assert record.headline.endswith("weights not checked")


def test_a_frozen_axis_fails_though_every_number_is_right(recorded: Cases) -> None:
    frozen = Signature((TensorSpec.parse("x:float32[1,10]"),), SIGNATURE.outputs)
    record = judged(recorded, found=frozen)
    assert record.verdict == "FAIL"
    assert "axis 0 of 'x' ('batch') is frozen at 1" in record.headline


def test_a_missing_output_fails_instead_of_being_skipped(recorded: Cases) -> None:
    other = Signature(SIGNATURE.inputs, (TensorSpec.parse("q:float32[batch,10]"),))
    assert recorded.source is not None
    outputs = [{"q": case["p"]} for case in recorded.source]
    record = assess("ort-cpu", SIGNATURE, other, recorded, outputs, PROVED, PROVED)
    assert record.verdict == "FAIL"


def test_cases_without_references_are_refused() -> None:
    with pytest.raises(IsoformError, match="These cases hold no reference outputs."):
        assess("ort-cpu", SIGNATURE, SIGNATURE, generation.generate(SIGNATURE), [], PROVED, PROVED)


def test_the_worst_verdict_stands_for_all_and_an_absent_runtime_never_for_a_pass() -> None:
    absent = ParityRecord.not_verified("ort-cuda", "no CUDA device")
    passed, failed = ParityRecord("ort-cpu", "PASS", ""), ParityRecord("tf", "FAIL", "")
    broken = ParityRecord.failed_to_run("litert", IsoformError("a", "b"))
    assert worst([absent]) == worst([]) == "NOT VERIFIED"
    assert worst([absent, passed]) == "PASS"
    assert worst([passed, failed]) == "FAIL"
    assert worst([passed, failed, broken]) == "ERROR"
    assert absent.headline == "not verified: no CUDA device"


def test_a_record_as_text_names_gates_and_figures(recorded: Cases) -> None:
    text = "\n".join(judged(recorded).lines())
    assert text.startswith("PASS          ort-cpu")
    assert "structure: PASS" in text
    assert "p: PASS  lost bits 0.0" in text


@pytest.mark.parametrize(
    ("weights", "semantics", "verdict"),
    [
        (PROVED, PROVED, "WARN"), (Gate(NOT_CHECKED), PROVED, "FAIL"), (PROVED, Gate(NOT_CHECKED), "FAIL"),
        (PROVED, Gate("FAIL", ("'p' means something else",)), "FAIL"),
    ],
)  # fmt: skip
def test_more_than_rounding_stands_only_where_weights_and_function_are_proved(
    recorded: Cases, weights: Gate, semantics: Gate, verdict: str
) -> None:
    assert recorded.reference is not None
    exact = np.concatenate([case["p"].ravel() for case in recorded.reference])
    own = np.concatenate([case["p"].ravel() for case in recorded.source or ()]) - exact
    allowed = max(float(np.sqrt(np.mean(own**2))), 1e-9, 2.0**-24 * float(np.sqrt(np.mean(exact**2))))
    record = judged(recorded, lambda p: p + np.float32(10 * allowed), weights, semantics=semantics)
    assert record.gates["numerics"].verdict == "WARN"
    assert record.verdict == verdict


@pytest.mark.parametrize(
    ("weights", "semantics", "times", "verdict"),
    [
        (PROVED, PROVED, 1.0, "WARN"), (PROVED, PROVED, 10.0, "INCONCLUSIVE"),
        (Gate(NOT_CHECKED), PROVED, 1.0, "INCONCLUSIVE"), (PROVED, Gate(NOT_CHECKED), 1.0, "INCONCLUSIVE"),
        (PROVED, Gate("INCONCLUSIVE", ("'p': off by 1e-1",)), 1.0, "INCONCLUSIVE"),
        (PROVED, Gate("FAIL", ("'p' means something else",)), 1.0, "FAIL"),
    ],
)  # fmt: skip
def test_where_the_source_has_no_good_digits_weights_and_function_have_to_be_proved(
    recorded: Cases, weights: Gate, semantics: Gate, times: float, verdict: str
) -> None:
    assert recorded.reference is not None
    assert recorded.floors is not None
    off = [{"p": (case["p"] + 0.01).astype(np.float32)} for case in recorded.reference]
    cases = Cases(recorded.kinds, recorded.inputs).with_reference(recorded.reference, off, recorded.floors)
    record = judged(cases, lambda p: p + np.float32(0.01 * (times - 1)), weights, semantics=semantics)
    assert record.gates["numerics"].verdict == "INCONCLUSIVE"
    assert record.verdict == verdict
    assert ("rounding decides in the source itself" in record.headline) == (verdict == "WARN")


@pytest.mark.parametrize(
    ("task", "verdict"),
    [
        (Gate("PASS", ("'p': all decisions",)), "PASS"), (Gate("FAIL", ("'p': few",)), "FAIL"),
        (Gate("INCONCLUSIVE", ("'p': too few",)), "INCONCLUSIVE"), (Gate(NOT_CHECKED, ("none",)), "INCONCLUSIVE"),
        (None, "INCONCLUSIVE"),
    ],
)  # fmt: skip
def test_of_integers_decisions_count_and_numbers_are_told(recorded: Cases, task: Gate | None, verdict: str) -> None:
    assert recorded.source is not None
    outputs = [{"p": case["p"] + np.float32(0.01)} for case in recorded.source]
    record = assess(
        "ort-cpu", SIGNATURE, SIGNATURE, recorded, outputs, PROVED, Gate(NOT_CHECKED), precision="int8", task=task
    )
    assert record.verdict == verdict
    assert record.gates["numerics"].verdict == "TOLD"
    assert ("all decisions" in record.headline) == (verdict == "PASS")


def constant_but_for(amount: float, cases: Cases) -> Cases:
    """Return cases whose source answers ones, and ``amount`` of the input beside them."""
    exact = [{"p": 1 + amount * np.sign(case["x"].astype(np.float64))} for case in cases.inputs]
    source = [{"p": case["p"].astype(np.float32)} for case in exact]
    return Cases(cases.kinds, cases.inputs).with_reference(exact, source, {"p": (Floor(1e-8, 1e-7),) * len(exact)})


def test_outputs_that_vary_less_than_rounding_prove_nothing(recorded: Cases) -> None:
    record = judged(constant_but_for(1e-12, recorded))
    assert record.verdict == "INCONCLUSIVE"
    assert record.gates["semantics"].verdict == record.gates["numerics"].verdict == "INCONCLUSIVE"
    assert "over all inputs the source's outputs vary less than rounding, 'p' by 8e-13 of its size" in record.headline


def test_a_wrong_weight_is_told_where_outputs_say_nothing(recorded: Cases) -> None:
    assert judged(constant_but_for(1e-12, recorded), weights=Gate("FAIL", ("'w' is lost",))).verdict == "FAIL"


@pytest.mark.parametrize("amount", [0.0, 1e-5])
def test_outputs_that_vary_a_little_or_not_at_all_by_their_nature_pass(recorded: Cases, amount: float) -> None:
    assert judged(constant_but_for(amount, recorded)).verdict == "PASS"
