"""The training loop with a learner in numpy: the record, the curve, interruption at every moment, and the refusals."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoform import store
from isoform.core.signature import Signature, TensorSpec
from isoform.core.training import TrainingPlan
from isoform.errors import IsoformError
from isoform.jobs import training, training_state

IMAGE = TensorSpec("image", "float32", ("batch", 16))
TOKENS = TensorSpec("tokens", "int64", ("batch", "length"))


class Interrupted(BaseException):
    """Stands for a kill: nothing in the code under test catches it."""


class LinearLearner:
    """Softmax regression with plain gradient descent; it may stop dead at one of its steps."""

    packages: tuple[str, ...] = ()
    parameters = 160

    def __init__(self, plan: TrainingPlan, stop_at: int | None = None, loss_factor: float = 1.0) -> None:
        self.weights = np.random.default_rng(plan.seed).normal(size=(16, 10)) * 0.1
        self.noise = np.random.default_rng(0)
        self.rate, self.steps, self.stop_at, self.loss_factor = 0.0, 0, stop_at, loss_factor
        self.rates: list[float] = []

    def begin_epoch(self, seed: int) -> None:
        self.noise = np.random.default_rng(seed)

    def train(self, parts: Any, learning_rate: float) -> tuple[float, int]:
        self.steps += 1
        if self.steps == self.stop_at:
            raise Interrupted
        self.rate = learning_rate
        self.rates.append(learning_rate)
        ((inputs, labels, _),) = parts
        outcome, gradient = self._outcome(inputs + self.noise.normal(size=inputs.shape) * 0.01, labels)
        self.weights -= self.rate * gradient
        return outcome

    def evaluate(self, parts: Any) -> tuple[float, int]:
        ((inputs, labels, _),) = parts
        return self._outcome(inputs, labels)[0]

    def graph(self, inputs: Any) -> bytes | None:
        return None

    def state(self) -> dict[str, Any]:
        return {"weights": self.weights}

    def restore(self, state: dict[str, Any]) -> None:
        self.weights = state["weights"]

    def save(self, path: Path) -> None:
        path.write_bytes(self.weights.tobytes())

    def _outcome(self, inputs: Any, labels: Any) -> tuple[tuple[float, int], Any]:
        scores = np.exp(inputs @ self.weights)
        probabilities = scores / scores.sum(axis=1, keepdims=True)
        loss = -np.log(probabilities[np.arange(len(labels)), labels]).mean() * self.loss_factor
        gradient = inputs.T @ (probabilities - np.eye(10)[labels]) / len(labels)
        return (float(loss), int((probabilities.argmax(axis=1) == labels).sum())), gradient


def arguments(out: Path, **changes: Any) -> dict[str, Any]:
    plan = {"epochs": 4, "batch_size": 100, "learning_rate": 0.5, "loss": "categorical", "seed": 3}
    return {
        "out": str(out), "key": "a key", "framework": "numpy", "checkpoint": "weights.bin",
        "signature": Signature((IMAGE,), ()).to_json(), "plan": plan, "source": "digits",
    } | changes  # fmt: skip


def train(out: Path, stop_at: int | None = None, **changes: Any) -> dict[str, Any]:
    return training.run(arguments(out, **changes), lambda plan: LinearLearner(plan, stop_at), lambda **event: None)


def curve(record: dict[str, Any]) -> list[tuple[float, ...]]:
    keys = ("epoch", "loss", "accuracy", "test_loss", "test_accuracy")
    return [tuple(epoch[key] for key in keys) for epoch in record["epochs"]]


def test_the_record_says_what_was_trained_on_what_and_how_it_went(tmp_path: Path) -> None:
    record = train(tmp_path / "out")
    assert record == json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["dataset"] == {
        "name": "digits", "is_generated": False, "train_samples": 1437, "test_samples": 360,
        "description": "Handwritten digits bundled with scikit-learn, 8x8 pixels, resized by bilinear interpolation.",
    }  # fmt: skip
    assert [epoch["epoch"] for epoch in record["epochs"]] == [1, 2, 3, 4]
    assert record["epochs"][-1]["loss"] < record["epochs"][0]["loss"]
    assert record["test_accuracy"] == record["epochs"][-1]["test_accuracy"] > 0.5
    assert (record["framework"], record["seed"], record["key"], record["parameters"]) == ("numpy", 3, "a key", 160)
    assert record["seconds"] == sum(epoch["seconds"] for epoch in record["epochs"])
    assert record["versions"] == {"numpy": np.__version__}


def test_the_record_binds_the_files_by_digest(tmp_path: Path) -> None:
    record = train(tmp_path)
    assert record["files"] == {name: store.digest_file(tmp_path / name) for name in ("weights.bin", "samples.npz")}


def test_the_samples_are_the_first_test_inputs_under_the_input_name(tmp_path: Path) -> None:
    train(tmp_path)
    with np.load(tmp_path / "samples.npz") as samples:
        assert {name: (array.shape, str(array.dtype)) for name, array in samples.items()} == {
            "image": ((len(samples["image"]), 16), "float32"), "train/image": ((256, 16), "float32"),
        }  # fmt: skip


def test_reported_progress_ends_every_epoch_with_the_last_step_and_its_record(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    record = training.run(arguments(tmp_path), LinearLearner, lambda **event: events.append(event))
    last_steps = [event for event in events if event.get("step") == 15]
    assert [(event["epoch"], event["epochs"], event["steps"]) for event in last_steps] == [
        (epoch, 4, 15) for epoch in (1, 2, 3, 4)
    ]
    epochs = [event for event in events if "test_accuracy" in event]
    assert epochs == [{**epoch, "epochs": 4} for epoch in record["epochs"]]
    assert last_steps[0]["loss"] == epochs[0]["loss"]


def test_the_learning_rate_falls_linearly(tmp_path: Path) -> None:
    learners: list[LinearLearner] = []

    def make(plan: TrainingPlan) -> LinearLearner:
        learners.append(LinearLearner(plan))
        return learners[0]

    training.run(arguments(tmp_path), make, lambda **event: None)
    assert learners[0].rates == [rate for rate in (0.5, 0.375, 0.25, 0.125) for _ in range(15)]


def test_equal_seeds_give_equal_curves_and_others_do_not(tmp_path: Path) -> None:
    first, second = train(tmp_path / "a"), train(tmp_path / "b")
    other = train(tmp_path / "c", plan=arguments(tmp_path)["plan"] | {"seed": 4})
    assert curve(first) == curve(second) != curve(other)
    assert first["files"] == second["files"]


@pytest.mark.parametrize("step", [1, 15, 16, 31, 60])
def test_an_interrupted_training_ends_with_the_curve_it_would_have_had(tmp_path: Path, step: int) -> None:
    whole = train(tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(tmp_path / "cut", stop_at=step)
    assert not (tmp_path / "cut" / "training.json").exists()
    learners: list[LinearLearner] = []

    def make(plan: TrainingPlan) -> LinearLearner:
        learners.append(LinearLearner(plan))
        return learners[0]

    resumed = training.run(arguments(tmp_path / "cut"), make, lambda **event: None)
    assert learners[0].steps == 60 - (step - 1) // 15 * 15
    assert curve(resumed) == curve(whole)
    assert resumed["files"] == whole["files"]
    left = {path.name for path in (tmp_path / "cut").iterdir()}
    assert left == {".lock", "samples.npz", "tensorboard", "training.json", "weights.bin"}


BEST = {"epochs": 4, "batch_size": 100, "learning_rate": 0.5, "loss": "categorical", "seed": 3, "keep": "best"}


class Overshooting(LinearLearner):
    """Learns for two epochs of 13 steps (a tenth of the samples is held out), then takes back half of it each epoch."""

    def train(self, parts: Any, learning_rate: float) -> tuple[float, int]:
        outcome = super().train(parts, learning_rate)
        if self.steps % 13 == 0 and self.begun > 2:
            self.weights *= 0.5
        return outcome

    def begin_epoch(self, seed: int) -> None:
        super().begin_epoch(seed)
        self.begun = seed - 3 * 10_007


def test_the_checkpoint_is_that_of_the_best_epoch_where_it_is_kept(tmp_path: Path) -> None:
    def make(plan: TrainingPlan) -> Overshooting:
        return Overshooting(plan)

    record = training.run(arguments(tmp_path / "best", plan=BEST), make, lambda **event: None)
    losses = [epoch["validation_loss"] for epoch in record["epochs"]]
    assert record["kept_epoch"] == 2 == 1 + losses.index(min(losses))
    assert record["test_accuracy"] == record["epochs"][1]["test_accuracy"]
    # The same two epochs alone, their learning rate unchanged by the other two.
    constant = BEST | {"schedule": "constant"}
    kept = training.run(arguments(tmp_path / "kept", plan=constant), make, lambda **event: None)
    two = constant | {"epochs": 2, "keep": "last", "validation_share": 0.1}
    alone = training.run(arguments(tmp_path / "two", plan=two), make, lambda **event: None)
    assert kept["kept_epoch"] == 2
    assert kept["files"]["weights.bin"] == alone["files"]["weights.bin"]
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == [
        ".lock", "samples.npz", "tensorboard", "training.json", "weights.bin",
    ]  # fmt: skip


@pytest.mark.parametrize("step", [14, 27, 52])
def test_a_training_that_keeps_the_best_goes_on_too(tmp_path: Path, step: int) -> None:
    whole = training.run(arguments(tmp_path / "whole", plan=BEST), Overshooting, lambda **event: None)
    with pytest.raises(Interrupted):
        training.run(
            arguments(tmp_path / "cut", plan=BEST), lambda plan: Overshooting(plan, step), lambda **event: None
        )
    resumed = training.run(arguments(tmp_path / "cut", plan=BEST), Overshooting, lambda **event: None)
    assert curve(resumed) == curve(whole)
    assert resumed["files"] == whole["files"]


def test_a_state_whose_best_checkpoint_is_gone_is_not_continued(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        training.run(arguments(tmp_path, plan=BEST), lambda plan: Overshooting(plan, 30), lambda **event: None)
    (tmp_path / "best.weights.bin").unlink()
    begun: list[int] = []
    record = training.run(arguments(tmp_path, plan=BEST), Overshooting, lambda **event: begun.append(event["epoch"]))
    assert begun[0] == 1
    assert record["kept_epoch"] == 2


def test_the_record_has_the_options_and_what_the_steps_cost(tmp_path: Path) -> None:
    record = train(tmp_path)
    assert record["options"] == asdict(TrainingPlan(**arguments(tmp_path)["plan"]))
    assert record["step_ms"]["count"] == 4 * 15 - 10
    assert 0 < record["step_ms"]["p10"] <= record["step_ms"]["p50"] <= record["step_ms"]["p90"]
    assert record["samples_per_s"] > 0
    assert record["peak_rss_bytes"] >= record["epochs"][0]["peak_rss_bytes"] > 1 << 20
    assert [epoch["step_ms"]["count"] for epoch in record["epochs"]] == [5, 15, 15, 15]
    assert [epoch["learning_rate"] for epoch in record["epochs"]] == [0.5, 0.375, 0.25, 0.125]


def test_a_state_of_another_key_or_cut_short_is_not_continued(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(tmp_path, stop_at=20)
    state = tmp_path / training_state.STATE_NAME
    assert training_state.load(tmp_path, "a key") is not None
    assert training_state.load(tmp_path, "another key") is None
    state.write_bytes(state.read_bytes()[:-30])
    assert training_state.load(tmp_path, "a key") is None
    state.write_bytes(b"")
    assert training_state.load(tmp_path, "a key") is None
    assert [epoch["epoch"] for epoch in train(tmp_path)["epochs"]] == [1, 2, 3, 4]


def test_a_flipped_bit_in_the_state_is_noticed(tmp_path: Path) -> None:
    training_state.save(tmp_path / training_state.STATE_NAME, "k", {"w": np.zeros(1000)}, [])
    content = bytearray((tmp_path / training_state.STATE_NAME).read_bytes())
    content[4000] ^= 1
    (tmp_path / training_state.STATE_NAME).write_bytes(content)
    assert training_state.load(tmp_path, "k") is None


def test_a_finished_training_is_returned_and_a_forced_or_damaged_one_is_made_again(tmp_path: Path) -> None:
    def fail(plan: TrainingPlan) -> LinearLearner:
        raise AssertionError("trained again")

    first = train(tmp_path)
    assert training.run(arguments(tmp_path), fail, lambda **event: None) == first
    with pytest.raises(AssertionError, match="trained again"):
        training.run(arguments(tmp_path, is_forced=True), fail, lambda **event: None)
    assert train(tmp_path)["files"] == first["files"]
    (tmp_path / "weights.bin").write_bytes(b"damaged")
    assert train(tmp_path)["files"] == first["files"]
    assert store.digest_file(tmp_path / "weights.bin") == first["files"]["weights.bin"]


def test_texts_leave_a_tokenizer_that_the_record_binds(tmp_path: Path) -> None:
    class Constant(LinearLearner):
        def train(self, parts: Any, learning_rate: float) -> tuple[float, int]:
            return self.evaluate(parts)

        def evaluate(self, parts: Any) -> tuple[float, int]:
            assert parts[0].inputs.dtype == np.int64
            return 1.0, 0

    changes = {"signature": Signature((TOKENS,), ()).to_json(), "source": "reviews"}
    changes["tokenizer"] = {"file": "tokenizer.json", "vocabulary_size": 50}
    changes["plan"] = {"epochs": 1, "batch_size": 500, "loss": "binary"}
    record = training.run(arguments(tmp_path, **changes), Constant, lambda **event: None)
    assert record["dataset"]["is_generated"] is True
    assert record["files"]["tokenizer.json"] == store.digest_file(tmp_path / "tokenizer.json")
    assert len(json.loads((tmp_path / "tokenizer.json").read_bytes())["model"]["vocab"]) == 50


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path: Path) -> None:
    with pytest.raises(IsoformError) as caught:
        training.run(
            arguments(tmp_path), lambda plan: LinearLearner(plan, loss_factor=float("nan")), lambda **event: None
        )
    assert caught.value.what == "The loss is nan at step 1 of epoch 1."
    assert caught.value.hint == "Lower learning_rate in isoform.toml."


def test_a_model_with_two_inputs_is_not_trained(tmp_path: Path) -> None:
    two = Signature((IMAGE, TOKENS), ()).to_json()
    with pytest.raises(IsoformError) as caught:
        train(tmp_path, signature=two)
    assert caught.value.what == "Training takes a model with one input, this one has 2."


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "weights.bin"
    target.write_bytes(b"old")

    def write_half() -> None:
        with training.publishing_file(target) as path:
            path.write_bytes(b"ne")
            raise OSError(28, os.strerror(28))

    with pytest.raises(OSError, match="No space left"):
        write_half()
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["weights.bin"]
