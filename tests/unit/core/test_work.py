"""The roofline by hand."""

import json

import pytest

from isoform.core.work import Ceiling, Work, ceiling_of, roofline

WORK = Work("the file", macs=500, weight_bytes=80, input_bytes=15, output_bytes=5, most_bytes=400)
SLOW_MEMORY = Ceiling(flops_per_s=1e9, bytes_per_s=1e7)


def test_one_multiply_accumulate_is_two_operations() -> None:
    assert WORK.flops == 1000
    assert WORK.intensity == (1000 / 400, 1000 / 100)


def test_memory_bounds_what_moves_much_for_little_arithmetic() -> None:
    found = roofline(WORK, 20_000_000, SLOW_MEMORY)
    assert found is not None
    assert found["achieved_flops_per_s"] == pytest.approx(50_000)  # 1000 operations in 20 ms
    assert found["achieved_bytes_per_s"] == pytest.approx(5_000)  # 100 bytes in 20 ms
    assert found["attainable_flops_per_s"] == pytest.approx([2.5e7, 1e8])  # 10 MB/s x 2.5 and x 10 operations a byte
    assert found["share"] == pytest.approx(50_000 / 1e8)
    assert found["bound"] == "memory"


def test_arithmetic_bounds_the_rest() -> None:
    found = roofline(WORK, 2_000, Ceiling(1e9, 1e12))
    assert found is not None
    assert (found["share"], found["bound"]) == (pytest.approx(0.5), "arithmetic")


@pytest.mark.parametrize("work", [
    Work("the file", 0, 80, 15, 5, 400), Work("the file", 500, 80, 15, 5, 400, ("a loop",)),
])  # fmt: skip
def test_without_arithmetic_or_with_layers_missing_there_is_no_roofline(work: Work) -> None:
    assert roofline(work, 1_000, SLOW_MEMORY) is None


def test_a_record_is_read_as_it_was_written() -> None:
    written = json.loads(json.dumps(WORK.to_json()))
    assert Work.from_json(written) == WORK
    assert (written["is_known"], written["flops"], written["fewest_bytes"]) == (True, 1000, 100)


def told(share: float | None, **more: float) -> dict[str, object]:
    ceilings = {"threads": {"2": {"flops_per_s": 1e9, "bytes_per_s": 1e7, **more}}}
    return {"ceilings": ceilings, "placement": {"summary": {"mac_share_integer": share}}}


@pytest.mark.parametrize(("details", "expected"), [
    (told(None), 1e9), (told(0.0, integer_ops_per_s=4e9), 1e9), (told(1.0, integer_ops_per_s=4e9), 4e9),
    (told(0.5, integer_ops_per_s=4e9), 1.6e9),  # 1 / (0.5 / 4 + 0.5 / 1)
    (told(0.4), 1e9), (told(0.9), None), ({}, None), ({"ceilings": {"is_known": False, "reason": "no"}}, None),
])  # fmt: skip
def test_the_ceiling_of_a_model_is_that_of_its_arithmetic_one_kind_after_the_other(
    details: dict[str, object], expected: float | None
) -> None:
    found = ceiling_of(details, 2)
    assert (None if found is None else found.flops_per_s) == (None if expected is None else pytest.approx(expected))
    assert ceiling_of(details, 1) is None
