"""What a million models take is arithmetic on one row, and the page says which."""

from typing import Any

import pytest

from growth import page


def row(label: str, workers: int, seconds: float, per_job: int = 0) -> dict[str, Any]:
    parent = [(done, 100_000_000 + per_job * done) for done in range(0, 101, 10)]
    return {
        "label": label, "workers": workers, "jobs": 101, "passed": 101, "seconds": seconds, "start_s": 2.0,
        "busy_s": 202.0, "result_bytes": 101 * 50_000, "worker_bytes": 90_000_000, "children_bytes": 910_000_000,
        "parent": parent,
    }  # fmt: skip


def test_efficiency_is_against_one_of_the_same_kind() -> None:
    rows = [row("threads, 1", 1, 50.0), row("workers, 1", 1, 100.0), row("workers, 2", 2, 62.5)]
    assert [page.efficiency(each, rows) for each in rows] == pytest.approx([1.0, 1.0, 0.8])


def test_memory_that_grows_with_every_job_is_a_slope_and_memory_that_stays_is_none() -> None:
    assert page.slope_bytes(row("", 1, 1.0, per_job=3000)["parent"], 101) == pytest.approx(3000)
    assert page.slope_bytes(row("", 1, 1.0)["parent"], 101) == pytest.approx(0, abs=1e-3)
    assert page.slope_bytes([(0, 1), (50, 9)], 101) == 0.0


def test_a_million_by_hand() -> None:
    found = page.plan(row("workers, 2", 2, 50.0, per_job=1000))
    assert found["per_worker"] == pytest.approx(1.0)
    assert found["day_workers"] == 12
    assert found["core_hours"] == pytest.approx(1e6 * 2 / 3600)
    assert (found["worker_mb"], found["disk_gb"]) == pytest.approx((1000, 50))
    assert found["file_mb"] == pytest.approx((100_100_000 + 1000 * 9899) / 1e6)


def test_the_page_has_every_row_and_plans_from_the_most_workers() -> None:
    rows = [row("threads, 1", 1, 50.0), row("workers, 1", 1, 100.0), row("workers, 2", 2, 62.5)]
    text = page.rendered({"rows": rows, "count": 101, "machine": "a machine", "date": "2026-01-01", "load": [1.0, 2.0]})
    assert all(f"| {each['label']} |" in text for each in rows)
    assert "From the row *workers, 2*" in text
