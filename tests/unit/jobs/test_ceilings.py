"""What is counted of a pass; how fast the machine is, no test says."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from isoform.core import machine
from isoform.jobs import ceilings


@pytest.fixture
def passes(monkeypatch: Any) -> list[int]:
    """Every pass runs once and is said to take half a second; the number of works in each is kept."""
    counts: list[int] = []

    def half_a_second(works: Sequence[ceilings.Work], spent_s: float = 0.0) -> float:
        for work in works:
            work()
        counts.append(len(works))
        return 0.5

    monkeypatch.setattr(ceilings, "best_s", half_a_second)
    return counts


def test_a_product_of_square_matrices_is_two_operations_for_each_edge_cubed(passes: list[int]) -> None:
    assert ceilings.multiplied(3, edges=(4, 8)) == 3 * 2 * 8**3 / 0.5
    assert passes == [3, 3]


def test_a_product_of_integers_is_counted_alike_and_runs_on_the_runtimes_own_threads(passes: list[int]) -> None:
    assert ceilings.multiplied_integers(2, edges=(4, 8)) == 2 * 8**3 / 0.5
    assert passes == [1, 1]


def test_the_product_that_is_timed_is_that_of_the_integers() -> None:
    left = np.array([[200, 3], [0, 255]], np.uint8)
    right = np.array([[-127, 5], [9, 100]], np.int8)
    (found,) = ceilings._integer_product(right, 1).run(None, {"x": left})
    assert found.tolist() == [[-25373, 1300], [2295, 25500]]


def test_a_copy_reads_and_writes_each_byte(passes: list[int]) -> None:
    assert ceilings.copied(2, 4096) == 2 * 4096 / 0.5
    assert passes == [2]


def test_a_small_array_is_read_many_times_in_one_pass(passes: list[int]) -> None:
    assert ceilings.reread(2, 1 << 16, 0.1) == (64 << 20) / 0.5
    assert ceilings.reread(1, 65 << 20, 0.1) == (65 << 20) / 0.5  # once


def test_the_fastest_pass_counts_and_works_run_side_by_side() -> None:
    begun: list[float] = []

    def work() -> None:
        begun.append(time.perf_counter())
        time.sleep(0.02)

    best = ceilings.best_s([work, work], spent_s=0.0)
    assert len(begun) == 2 * ceilings.FEWEST_PASSES
    assert best >= 0.02
    pairs = np.sort(begun).reshape(-1, 2)
    assert (pairs[:, 1] - pairs[:, 0]).min() < 0.02  # the second begins before the first has ended


@pytest.mark.parametrize(("cache", "memory", "expected"), [
    (None, 1 << 40, 64 << 20), (100 << 20, 1 << 40, 200 << 20), (480 << 20, 1 << 40, 512 << 20),
    (32 << 20, 512 << 20, 32 << 20),
])  # fmt: skip
def test_no_cache_holds_the_array_unless_memory_is_short(
    monkeypatch: Any, cache: int | None, memory: int, expected: int
) -> None:
    here = machine.Machine("cpu", "x86_64", 2, memory, "Linux", "3.11")
    monkeypatch.setattr(machine, "describe", lambda: here)
    monkeypatch.setattr(machine, "last_cache_bytes", lambda: cache)
    assert ceilings.array_bytes() == expected
