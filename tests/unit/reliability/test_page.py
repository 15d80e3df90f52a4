"""The page of what is survived: every test that it names is there, and what it counts is what was counted."""

import ast
from pathlib import Path

import pytest

from reliability import page
from reliability.named import NAMED

TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize(("file", "test"), [(file, test) for _, file, test in NAMED])
def test_a_test_that_is_named_exists(file: str, test: str) -> None:
    tree = ast.parse((TESTS / file).read_text())
    assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_a_kill_that_left_something_wrong_shows() -> None:
    kill = {
        "kind": "kill", "finished": 3, "is_same": True, "orphans_s": 0.2, "kept": 3, "reused": 3, "litter": [],
        "is_as_expected": True,
    }  # fmt: skip
    wrong = kill | {"is_same": False, "orphans_s": None, "reused": 2, "litter": ["x"], "is_as_expected": False}
    found = page.rendered({"machine": "a machine", "date": "2026-01-01", "rows": [kill, wrong]})
    assert "| kills after which a result stood that was not the same | 1 |" in found
    assert "| orphans | 1 |" in found
    assert "| finished jobs that the next run used again | 5 of 6 |" in found
    assert "| batches that ended with the same bytes as without a kill | 1 |" in found
    assert "| unfinished files left at the end | 1 |" in found
