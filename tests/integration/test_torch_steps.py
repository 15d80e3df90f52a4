"""PyTorch's graph modes in the job behind ``isoform compare``: one network, the same numbers, and what does not run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoform.core.artifact import Architecture
from isoform.core.frameworks import queries
from isoform.core.training import TrainingPlan
from isoform.jobs import steps_torch, turns
from isoform.jobs.training_epochs import Part

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

NETWORKS = """
from torch import nn


def build():
    hidden = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5))
    return nn.Sequential(hidden, nn.Linear(16, 3), nn.Softmax(-1))


class Unscriptable(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = build()

    def forward(self, x):
        return getattr(self, "in" + "ner")(x)
"""


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    (tmp_path / "stepped.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    samples = np.random.default_rng(3).normal(size=(5, 8)).astype(np.float32)
    np.savez(tmp_path / "samples.npz", **{"train/x": samples})
    plan = TrainingPlan(epochs=1, batch_size=12)
    return {
        "framework": "torch", "plan": vars(plan), "samples": str(tmp_path / "samples.npz"), "inputs": "train/x",
        "labels": 3, "modes": ["eager", "trace", "script"], "warmup_s": 0.0, "warmup_limit_s": 0.01,
        "architecture": Architecture(tmp_path, "stepped:build", {}).to_json(),
    }  # fmt: skip


def test_every_mode_computes_the_same_and_is_timed(arguments: dict[str, Any]) -> None:
    found = steps_torch.open_modes(arguments, lambda **_: None)
    assert found["refused"] == {}
    assert set(found["differences"]) == {"trace", "script"}
    assert max(found["differences"].values()) < 1e-6
    assert set(found["query_ns"]) == {query for mode in arguments["modes"] for query in queries("torch", mode)}
    for query in found["query_ns"]:
        assert turns.block({"query": query, "queries": 2}, lambda **_: None)["query_ns"] > 0


def test_a_mode_that_does_not_run_is_told_and_the_others_go_on(arguments: dict[str, Any]) -> None:
    arguments["architecture"]["factory"] = "stepped:Unscriptable"
    found = steps_torch.open_modes(arguments, lambda **_: None)
    assert set(found["refused"]) == {"script"}
    assert "torch script train" not in found["query_ns"]
    assert "torch trace train" in found["query_ns"]


def test_a_traced_network_drops_out_while_it_learns_and_not_while_it_infers(arguments: dict[str, Any]) -> None:
    learner = steps_torch._Learner(
        Architecture.from_json(arguments["architecture"]), TrainingPlan(**arguments["plan"]), "trace"
    )
    inputs = np.ones((6, 8), np.float32)
    learner.train([Part(inputs, np.zeros(6, np.int64), 1.0)], 0.0)
    one, two = learner.predict(inputs), learner.predict(inputs)
    assert np.array_equal(one, two)
    assert np.ptp(one, axis=0).max() == 0  # all rows are one row
