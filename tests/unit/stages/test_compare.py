"""The verb bench with a baseline, its children answering from a script: turns, pairs, and what ends it."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoform import registry
from isoform.core.artifact import Artifact
from isoform.core.comparison import SAME, SLOWER, UNFIT, CompareOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import UsageError
from isoform.isolation import Answer
from isoform.stages.bench import Query
from isoform.stages.compare import Comparer, baseline_of, runtime_for

SIGNATURE = Signature((TensorSpec("x", "float32", ("n", 4)),), (TensorSpec("y", "float32", ("n", 2)),))
QUERY = Query({"x": np.zeros((1, 4), np.float32)})
OPTIONS = CompareOptions(groups=6, most_groups=12, blocks=4, threads=(1,))


class ScriptedPool:
    """Children that take as long as the name of their model says, and remember who was alive and who was asked."""

    def __init__(self, nanoseconds: dict[str, list[float]]) -> None:
        self.nanoseconds = nanoseconds
        self.alive: list[ScriptedChild] = []
        self.most_alive, self.started = 0, 0
        self.queries: list[int] = []
        self.opened: list[tuple[str, str]] = []

    @contextmanager
    def own(self, needs: str, root: Path | None = None) -> Iterator["ScriptedChild"]:
        child = ScriptedChild(self)
        self.started += 1
        self.alive.append(child)
        self.most_alive = max(self.most_alive, len(self.alive))
        yield child
        self.alive.remove(child)


class ScriptedChild:
    def __init__(self, pool: ScriptedPool) -> None:
        self.pool, self.model = pool, ""

    def call(self, function: str, arguments: dict[str, Any]) -> Answer:
        if function.endswith("open_session"):
            self.model = Path(arguments["artifact"]["model"]).name
            self.pool.opened.append((self.model, arguments["runtime"]))
            return Answer({"query_ns": {"run": 1e6}}, 0.0, 0, 0.0)
        assert arguments["query"] == "run"
        self.pool.queries.append(arguments["queries"])
        times = self.pool.nanoseconds[self.model]
        times.append(times.pop(0))
        return Answer({"query_ns": times[-1]}, 0.0, 0, 0.0)


def artifact(name: str, signature: Signature = SIGNATURE) -> Artifact:
    return Artifact("onnx", Path(name), signature)


def comparer(pool: ScriptedPool, **words: Any) -> Comparer:
    row = registry.runtime("ort-cpu")
    return Comparer(artifact("old"), artifact("new"), QUERY, row, pool, OPTIONS, **words)  # type: ignore[arg-type]


def test_three_processes_take_turns_in_blocks_of_at_least_fifty_milliseconds() -> None:
    pool = ScriptedPool({"old": [1e6], "new": [1.2e6]})
    (found,) = comparer(pool).run()
    assert (found.verdict, round(found.ratio, 3)) == (SLOWER, 1.2)
    assert (pool.most_alive, pool.started, pool.alive) == (3, 3 * 6, [])
    assert set(pool.queries) == {50}
    assert len(pool.queries) == 6 * 4 * 3


def test_groups_are_added_while_the_verdict_is_open_and_no_longer() -> None:
    pool = ScriptedPool({"old": [1e6], "new": [1.03e6, 1.031e6, 1.029e6]})
    seen: list[tuple[int, int, int]] = []
    (found,) = comparer(pool, on_progress=lambda *event: seen.append(event)).run()
    assert len(found.groups) == 12
    assert seen[-1] == (12, 12, 1)
    (settled,) = comparer(ScriptedPool({"old": [1e6], "new": [1e6]})).run()
    assert (settled.verdict, len(settled.groups)) == (SAME, 6)


def test_a_baseline_that_differs_from_itself_makes_the_machine_unfit() -> None:
    (found,) = comparer(ScriptedPool({"old": [1e6, 2e6, 3e6, 1.5e6, 1.1e6], "new": [2e6]})).run()
    assert found.verdict == UNFIT


def test_other_inputs_are_refused_and_other_names_of_dimensions_are_not() -> None:
    renamed = Signature((TensorSpec("x", "float32", ("batch", 4)),), SIGNATURE.outputs)
    wider = Signature((TensorSpec("x", "float32", ("n", 5)),), SIGNATURE.outputs)
    pool: Any = ScriptedPool({})
    row = registry.runtime("ort-cpu")
    Comparer(artifact("old", renamed), artifact("new"), QUERY, row, pool)
    with pytest.raises(UsageError, match=r"x:float32\[\?,4\], and the baseline x:float32\[\?,5\]"):
        Comparer(artifact("old", wider), artifact("new"), QUERY, row, pool)


def published(folder: Path, name: str, framework: str = "torch") -> Path:
    folder.mkdir(parents=True)
    record = {
        "schema_version": 1, "name": name, "framework": framework, "format": "onnx", "model": "model.onnx",
        "signature": SIGNATURE.to_json(), "files": {},
    }  # fmt: skip
    (folder / "artifact.json").write_text(json.dumps(record))
    return folder


def test_the_baseline_is_the_same_model_framework_and_format(tmp_path: Path) -> None:
    ours = published(tmp_path / "now" / "net" / "onnx", "net")
    theirs = published(tmp_path / "then" / "a" / "onnx", "net")
    published(tmp_path / "then" / "b" / "onnx", "net", "keras")
    published(tmp_path / "then" / "c" / "onnx", "other")
    assert baseline_of(ours, tmp_path / "then") == theirs
    assert baseline_of(ours, tmp_path / "then" / "c" / "onnx") == tmp_path / "then" / "c" / "onnx"
    assert baseline_of(ours, tmp_path / "then" / "b") is None
    published(tmp_path / "then" / "d" / "onnx", "net")
    with pytest.raises(UsageError, match="2 artifacts of the model"):
        baseline_of(ours, tmp_path / "then")


def test_a_baseline_of_another_format_runs_on_its_own_runtime(tmp_path: Path) -> None:
    folder, (litert, ort) = published(tmp_path / "onnx", "net"), map(registry.runtime, ("litert", "ort-cpu"))
    assert runtime_for(folder, ort) == ort
    assert runtime_for(folder, litert) == ort
    pool = ScriptedPool({"old": [1e6], "new": [1e6]})
    comparer(pool, baseline_row=litert).run()
    assert Counter(pool.opened) == {("old", "litert"): 12, ("new", "ort-cpu"): 6}
