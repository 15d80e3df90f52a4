"""Children that take turns: how often each is asked, whatever they hold open."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from isoform.isolation import Answer
from isoform.stages.turns import FEWEST, LONGEST, Contender, Turns

MS = 1e6


class Child:
    def __init__(self, asked: dict[tuple[str, str], list[int]]) -> None:
        self.asked, self.name = asked, ""

    def call(self, function: str, arguments: dict[str, Any]) -> Answer:
        if function == "open":
            self.name = arguments["name"]
            return Answer({"query_ns": arguments["query_ns"]}, 0.0, 0, 0.0)
        self.asked.setdefault((self.name, arguments["query"]), []).append(arguments["queries"])
        return Answer({"query_ns": 1.0}, 0.0, 0, 0.0)


class ScriptedPool:
    def __init__(self) -> None:
        self.asked: dict[tuple[str, str], list[int]] = {}

    @contextmanager
    def own(self, needs: str, root: Path | None = None) -> Iterator[Child]:
        yield Child(self.asked)


def queries(times: dict[str, dict[str, float]]) -> dict[tuple[str, str], int]:
    """Return how often each query of each contender is run in a block of at least 50 ms."""
    pool: Any = ScriptedPool()
    contenders = {
        name: Contender("nothing", [("open", {"name": name, "query_ns": found})]) for name, found in times.items()
    }
    Turns(contenders, pool, 3, 0.05).group(0)
    assert {len(each) for each in pool.asked.values()} == {3}
    return {item: each[0] for item, each in pool.asked.items()}


def test_those_that_are_about_as_quick_are_asked_as_often() -> None:
    assert set(queries({"old": {"run": MS}, "new": {"run": 1.2 * MS}, "far": {"run": 3.9 * MS}}).values()) == {50}


@pytest.mark.parametrize(
    ("slow_ns", "expected"), [(10 * MS, LONGEST * 50 / 10), (100 * MS, FEWEST)], ids=["by time", "at least so many"]
)
def test_one_that_is_far_slower_does_not_hold_the_others_up(slow_ns: float, expected: float) -> None:
    assert queries({"quick": {"run": 0.01 * MS}, "slow": {"run": slow_ns}}) == {
        ("quick", "run"): 5000, ("slow", "run"): expected,
    }  # fmt: skip


def test_a_query_that_takes_longer_than_a_block_is_run_once_in_all() -> None:
    assert set(queries({"quick": {"run": 80 * MS}, "slow": {"run": 4000 * MS}}).values()) == {1}


def test_queries_of_one_name_are_held_against_each_other_only() -> None:
    found = queries({"one": {"train": 10 * MS, "infer": MS}, "two": {"train": 10 * MS}})
    assert found == {("one", "train"): 5, ("one", "infer"): 50, ("two", "train"): 5}
