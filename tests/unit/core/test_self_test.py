"""When a test of the test is strong, and what it says."""

import pytest

from isoform.core.parity import Gate
from isoform.core.self_test import Planted, SelfTest, failed_gates


def made(caught: int, missed: int, control: str = "PASS", reason: str = "") -> SelfTest:
    faults = [Planted("a dropped bias", "'b'", verdict, ()) for verdict in ["FAIL"] * caught + ["PASS"] * missed]
    return SelfTest("litert", control, tuple(faults), reason)


@pytest.mark.parametrize(
    ("test", "is_strong", "told"),
    [
        (made(19, 1), True, "self-test: 19 of 20 planted faults caught on litert"),
        (made(18, 2), False, "self-test: 18 of 20 planted faults caught on litert"),
        (made(20, 0, "FAIL"), False, "a copy without any fault is FAIL: what is caught proves nothing"),
        (made(0, 0, "NOT VERIFIED", "no reader"), True, "no self-test: no reader"),
    ],
)
def test_nearly_all_have_to_be_caught_and_the_control_has_to_pass(test: SelfTest, is_strong: bool, told: str) -> None:
    assert (test.is_strong, test.told) == (is_strong, told)


@pytest.mark.parametrize(("verdict", "is_caught"), [("FAIL", True), ("ERROR", True), ("INCONCLUSIVE", True),
                                                    ("PASS", False), ("WARN", False)])  # fmt: skip
def test_a_fault_that_would_be_published_is_missed(verdict: str, is_caught: bool) -> None:
    assert Planted("f", "p", verdict, ()).is_caught is is_caught


def test_what_json_keeps_comes_back() -> None:
    test = made(2, 1)
    assert SelfTest.from_json(test.to_json()) == test


def test_the_gates_that_failed_are_named() -> None:
    assert failed_gates({"weights": Gate("FAIL"), "numerics": Gate("WARN"), "semantics": Gate("NOT CHECKED")}) == (
        "weights",
    )
