"""TensorFlow's graph modes in the job behind ``isoform compare``: one network, the same numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoform.core.artifact import Architecture
from isoform.core.frameworks import queries
from isoform.core.training import TrainingPlan
from isoform.jobs import steps_keras, turns

pytestmark = pytest.mark.tensorflow

NETWORK = """
import keras
from keras import layers


def build():
    x = keras.Input((8,), name="x")
    h = layers.Dropout(0.5)(layers.Dense(16, activation="relu")(x))
    return keras.Model(x, layers.Dense(3, activation="softmax")(h))
"""


def test_every_mode_computes_the_same_and_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stepped_keras.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    samples = np.random.default_rng(3).normal(size=(5, 8)).astype(np.float32)
    np.savez(tmp_path / "samples.npz", **{"train/x": samples})
    arguments: dict[str, Any] = {
        "framework": "keras", "plan": vars(TrainingPlan(epochs=1, batch_size=12)), "inputs": "train/x", "labels": 3,
        "samples": str(tmp_path / "samples.npz"), "modes": ["function", "eager", "xla"], "warmup_s": 0.0,
        "warmup_limit_s": 0.01, "architecture": Architecture(tmp_path, "stepped_keras:build", {}).to_json(),
    }  # fmt: skip
    found = steps_keras.open_modes(arguments, lambda **_: None)
    assert found["refused"] == {}
    assert set(found["differences"]) == {"eager", "xla"}
    assert max(found["differences"].values()) < 1e-5
    assert set(found["query_ns"]) == {query for mode in arguments["modes"] for query in queries("keras", mode)}
    assert turns.block({"query": "keras xla infer", "queries": 2}, lambda **_: None)["query_ns"] > 0
    assert found["peak_rss_bytes"] > 1 << 20
