"""The reference models in PyTorch: trained for real in a child, killed and resumed, and equal the second time."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from isoform import store
from isoform.core.model import Model, load_manifest
from isoform.errors import ChildFailed
from isoform.isolation import Pool
from isoform.stages import train

pytestmark = [pytest.mark.torch]

MODELS = Path(__file__).parents[2] / "models"


def with_plan(model: Model, **changes: Any) -> Model:
    assert model.training is not None
    return replace(model, training=replace(model.training, **changes))


def task_of(model: Model, out: Path) -> train.Task:
    (task,) = train.plan(train.TrainRequest((model,), out, ("torch",)))
    return task


def curve(record: Any) -> list[dict[str, Any]]:
    measured = {"seconds", "finished_at", "step_ms", "samples_per_s", "peak_rss_bytes"}
    return [{key: value for key, value in epoch.items() if key not in measured} for epoch in record["epochs"]]


def test_the_mlp_learns_the_digits_and_its_checkpoint_holds_the_weights(tmp_path: Path) -> None:
    with Pool(tmp_path / "logs") as pool:
        result = train.run(task_of(load_manifest(MODELS / "mlp"), tmp_path), pool)
    assert result.record["test_accuracy"] >= 0.95
    assert result.record["parameters"] == 50_890
    weights = load_file(result.checkpoint)
    assert {name: array.shape for name, array in weights.items()} == {
        "hidden.weight": (64, 784), "hidden.bias": (64,), "output.weight": (10, 64), "output.bias": (10,),
    }  # fmt: skip
    assert result.samples is not None
    with np.load(result.samples) as samples:
        images = samples["image"]
    hidden = np.maximum(images @ weights["hidden.weight"].T + weights["hidden.bias"], 0)
    answers = (hidden @ weights["output.weight"].T + weights["output.bias"]).argmax(axis=1)
    labels = _test_labels()
    assert (answers == labels[: len(answers)]).mean() > 0.9


def _test_labels() -> Any:
    from isoform.data import digits

    return digits.read().test.labels


def test_a_killed_training_goes_on_after_the_last_finished_epoch_with_the_same_curve(tmp_path: Path) -> None:
    model = with_plan(load_manifest(MODELS / "image_classifier", {"image_size": 8}), epochs=3)
    with Pool(tmp_path / "logs") as pool:
        whole = train.run(task_of(model, tmp_path / "whole"), pool)
        with pytest.raises(ChildFailed):
            train.run(task_of(model, tmp_path / "cut"), pool, kill_in_epoch(pool, 2))
        folder = task_of(model, tmp_path / "cut").folder
        assert (folder / "state.npz").is_file()
        assert not (folder / "training.json").exists()
        begun: list[int] = []
        resumed = train.run(task_of(model, tmp_path / "cut"), pool, lambda _, event: begun.append(event["epoch"]))
    assert min(begun) == 2
    assert curve(resumed.record) == curve(whole.record)
    assert store.digest_file(resumed.checkpoint) == store.digest_file(whole.checkpoint)


def kill_in_epoch(pool: Pool, epoch: int) -> train.Progress:
    """Return a listener that kills the child with SIGKILL as soon as it reports a step of ``epoch``."""

    def on_progress(task: train.Task, event: dict[str, Any]) -> None:
        if event["epoch"] == epoch:
            for child in pool._all:
                os.kill(child.pid, signal.SIGKILL)

    return on_progress


def test_the_text_classifier_takes_a_step_on_its_own_tokens(tmp_path: Path) -> None:
    model = with_plan(load_manifest(MODELS / "text_classifier"), epochs=1, batch_size=500)
    with Pool(tmp_path / "logs") as pool:
        result = train.run(task_of(model, tmp_path), pool)
    assert result.tokenizer is not None
    assert result.source.tokenizer == result.tokenizer
    assert result.samples is not None
    with np.load(result.samples) as samples:
        assert samples["tokens"].dtype == np.int64
        vocabulary = json.loads(result.tokenizer.read_bytes())["model"]["vocab"]
        assert 1 < samples["tokens"].max() < len(vocabulary)
    assert result.record["dataset"]["is_generated"] is True


@pytest.mark.slow
def test_the_text_classifier_learns_the_reviews(tmp_path: Path) -> None:
    with Pool(tmp_path / "logs") as pool:
        result = train.run(task_of(load_manifest(MODELS / "text_classifier"), tmp_path), pool)
    assert result.record["test_accuracy"] >= 0.95
