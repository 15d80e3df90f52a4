"""The verb compare, its children answering from a script: who takes turns with whom, and what becomes of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from isoform.core.comparison import FASTER, SAME, SLOWER
from isoform.core.frameworks import queries
from isoform.errors import UsageError
from isoform.isolation import Answer
from isoform.stages import export, frameworks
from isoform.stages.train import TrainRecord

MODELS = Path(__file__).parents[4] / "models"
NS = {"torch eager train": 1e6, "keras function train": 1.5e6, "torch eager infer": 1e5, "keras function infer": 5e4}
"""What the queries take; all others 2 ms."""


class Child:
    def __init__(self, pool: "ScriptedPool") -> None:
        self.pool = pool

    def call(self, function: str, arguments: dict[str, Any]) -> Answer:
        if function.endswith(":block"):
            return Answer({"query_ns": NS.get(arguments["query"], 2e6)}, 0.0, 0, 0.0)
        self.pool.opened.append((function, tuple(arguments["modes"])))
        modes = [mode for mode in arguments["modes"] if mode != "compile"]
        asked = [query for mode in modes for query in queries(arguments["framework"], mode)]
        return Answer(
            {
                "query_ns": {query: NS.get(query, 2e6) for query in asked},
                "differences": dict.fromkeys(modes[1:], 1e-7),
                "refused": {"compile": "no compiler"} if "compile" in arguments["modes"] else {},
                "peak_rss_bytes": 200 if arguments["framework"] == "keras" else 100,
            },
            0.0, 0, 0.0,
        )  # fmt: skip


class ScriptedPool:
    def __init__(self) -> None:
        self.opened: list[tuple[str, tuple[str, ...]]] = []

    @contextmanager
    def own(self, needs: str, root: Path | None = None) -> Iterator[Child]:
        assert root is not None
        yield Child(self)


def sources(folder: Path) -> frameworks.Sources:
    (model,) = export.load_models([MODELS / "mlp"], {})
    trained = {
        name: TrainRecord(model, name, folder / "weights", None, folder / "samples.npz", {}, is_reused=True)
        for name in ("torch", "keras")
    }
    return frameworks.Sources(model, trained, {})


def test_both_frameworks_take_turns_in_all_of_their_modes(tmp_path: Path) -> None:
    pool: Any = ScriptedPool()
    own = sources(tmp_path)
    request = frameworks.CompareRequest((own.model,), tmp_path, ("modes",), groups=6, blocks=2)
    seen: list[tuple[str, str, int, int]] = []
    found = frameworks.run(request, own, pool, lambda *event: seen.append(event))
    assert len(pool.opened) == 3 * 6
    assert {name for name, _ in pool.opened} == {
        "isoform.jobs.steps_torch:open_modes", "isoform.jobs.steps_keras:open_modes",
    }  # fmt: skip
    assert sum("xla" in modes for _, modes in pool.opened) == 2
    assert {len(mode.train.groups) for mode in found.modes if mode.train} == {2, 6}
    assert seen[-1][2:] == (5, 6)
    assert found.training is not None
    assert (found.training.verdict, found.training.ratio) == (SLOWER, pytest.approx(1.5))
    assert found.inference is not None
    assert found.inference.verdict == FASTER
    assert found.memory is not None
    assert found.memory.ratio == 2
    eager = found.usual("torch")
    assert eager is not None
    assert eager.train is not None
    assert eager.train.verdict == SAME
    refused = {mode.name: mode.refused for mode in found.modes if mode.refused}
    assert refused == {"compile": "no compiler"}
    assert {mode.difference for mode in found.modes} == {None, 1e-7}
    record = frameworks.record([found], request)
    outcomes = {claim["name"]: claim["outcome"] for claim in record["claims"]}
    assert outcomes["Training speed"] == "did not hold"
    assert outcomes["Inference speed"] == "held"


def test_exports_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = sources(tmp_path)
    monkeypatch.setattr(frameworks.train, "plan", lambda request: [])
    request = frameworks.CompareRequest((own.model,), tmp_path)
    pool: Any = ScriptedPool()
    with pytest.raises(UsageError, match="mlp/torch/onnx: no artifact here that passed"):
        frameworks.plan(request, pool)
