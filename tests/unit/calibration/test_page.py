"""The page counts what the rows say: an alarm is a variant that did not pass, a miss a fault that nothing caught."""

from dataclasses import replace
from typing import Any

from calibration import page
from calibration.faults import is_named, is_named_itself
from isoform.core.divergence import MEANING, Divergence


def variant(verdict: str, r_rms: float | None = 1.0) -> dict[str, Any]:
    return {"model": "net", "kind": "variant", "runtime": "litert", "name": "1 thread", "verdict": verdict,
            "gates": [], "r_rms": r_rms, "r_max": 2.0}  # fmt: skip


def fault(gates: list[str], r_rms: float | None) -> dict[str, Any]:
    return {"model": "net", "kind": "fault", "runtime": "litert", "name": "stale weights", "place": "'w'",
            "verdict": "FAIL" if gates else "PASS", "gates": gates, "is_caught": bool(gates), "r_rms": r_rms,
            "r_max": 9.0}  # fmt: skip


def cells(text: str, head: str) -> list[str]:
    """Return the cells of the row that begins with ``head``."""
    row = next(line for line in text.splitlines() if line.startswith(f"| {head} |"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_alarms_and_misses_are_counted_by_gate_and_together() -> None:
    rows = [variant("PASS"), variant("WARN", 9.5), fault(["weights"], 0.4), fault(["weights", "numerics"], 40.0),
            fault(["numerics"], None), fault([], 0.2)]  # fmt: skip
    text = page.rendered({"rows": rows})
    assert cells(text, "litert") == [
        "litert", "2", "1 (50.0%)", "4", "4 (100.0%)", "2 (50.0%)", "4 (100.0%)", "2 (50.0%)", "**1 (25.0%)**",
    ]  # fmt: skip
    assert "- net, litert, 1 thread: WARN (R_rms 9.5)" in text
    assert "- net, litert: stale weights, 'w' (R_rms 0.2)" in text
    assert "| litert | 9.50 | 9.50 | 2.00 | 8, 16 | 2 | 0 |" in text


def test_a_miss_that_no_run_in_float32_can_show_says_so() -> None:
    rows = [fault([], 1.0) | {"r_sem": r_sem} for r_sem in (5.5e-06, 1.9, None)]
    text = page.rendered({"rows": rows})
    assert "(R_rms 1.0, R_sem 5.5e-06: no run in float32 can show it)" in text
    assert "(R_rms 1.0, R_sem 1.9)\n" in text
    assert "(R_rms 1.0)\n" in text
    assert cells(text, "litert")[-1] == "**3 (100.0%)**"


def test_nothing_missed_is_said_and_so_is_a_subject_that_broke_off() -> None:
    text = page.rendered({"rows": [variant("PASS"), fault(["structure"], 3.0)], "failed": {"bert": "timeout"}})
    assert "## What was missed\n\nNothing." in text
    assert "## False alarms\n\nNone." in text
    assert "- bert: timeout" in text


def divergence(*counterparts: str) -> Divergence:
    return Divergence(MEANING, "main/7 (CONV_2D)", (), "relu (Relu)", counterparts, {}, "", 9.0, 9.0, 0.0, 2.0)


def test_a_culprit_is_named_only_among_the_few_operators_that_one_stands_for() -> None:
    assert is_named(divergence("conv (Conv)", "norm (BatchNormalization)", "relu (Relu)"), {"conv"})
    assert not is_named(divergence("other (Conv)"), {"conv"})
    assert not is_named(divergence(*(f"n{place} (Add)" for place in range(4)), "conv (Conv)"), {"conv"})


def test_a_culprit_in_a_file_of_its_own_words_is_named_if_few_stand_for_few() -> None:
    seven = tuple(f"norm/{place} (Mul)" for place in range(7))
    found = replace(divergence("norm (BatchNormalization)"), operator="norm/6 (Mul)", operators=seven)
    assert is_named_itself(found, {"norm/0"}), "seven operators stand for one of the reference"
    assert not is_named_itself(found, {"conv"})
    assert not is_named_itself(replace(found, counterparts=seven), {"norm/0"}), "seven for seven is no name"


def test_what_a_runtime_refuses_is_listed_and_counted_nowhere() -> None:
    refused = {"model": "net", "kind": "refused", "runtime": "tf", "name": "with XLA", "reason": "XLA: no such kernel"}
    text = page.rendered({"rows": [variant("PASS"), refused]})
    assert "- net, tf, with XLA: XLA: no such kernel" in text
    assert cells(text, "litert")[1] == "1"
    assert "| tf |" not in text
