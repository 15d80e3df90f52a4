"""What holds for training in every framework; the test files of each call these."""

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader  # type: ignore[import-untyped]
from tensorboard.compat.proto.graph_pb2 import GraphDef  # type: ignore[import-untyped]

from isoform.core.training import TrainingPlan
from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.jobs.curves import TAGS
from training import networks, oracle, steps, weights
from training.steps import Step

ORACLE_OPTIONS = {"schedule": "cosine", "warmup_steps": 5, "accumulate": 3}
VARIANTS: dict[str, dict[str, Any]] = {
    "whole": {"shape": (38, 64)},
    "parts": {"shape": (38, 64), "accumulate": 4},
    "fewer": {"shape": (10, 64)},
    "float16": {"shape": (38, 64), "mixed_precision": "float16"},
    "bfloat16": {"shape": (38, 64), "mixed_precision": "bfloat16"},
    "float16 in parts": {"shape": (38, 64), "mixed_precision": "float16", "accumulate": 4},
}


def variants(folder: Path, framework: str) -> dict[str, Step]:
    """Return one step of each variant, which the checks below compare."""
    return steps.take(folder, networks.HIDDEN, framework, VARIANTS)


def training_is_the_one_of_the_formulas(folder: Path, framework: str) -> None:
    """Weights and losses of two epochs are those of numpy in float64, to what rounding makes of Adam's quotients.

    Planted in the oracle, the means of unequal parts added up as if these were equal moved weights by 5e-3.
    """
    record = networks.trained(folder, networks.SOFTMAX, framework, **ORACLE_OPTIONS)
    plan = TrainingPlan(epochs=2, batch_size=100, learning_rate=0.01, seed=5, **ORACLE_OPTIONS)
    matrix, bias, losses = oracle.softmax_regression(plan, framework)
    found_matrix, found_bias = weights.softmax(record.checkpoint)
    np.testing.assert_allclose(found_matrix, matrix, atol=2e-4)
    np.testing.assert_allclose(found_bias, bias, atol=1e-3)
    assert [epoch["loss"] for epoch in record.record["epochs"]] == pytest.approx(losses, rel=1e-4)


def gradients_of_parts_add_up(found: dict[str, Step]) -> None:
    """The moments after a step in 4 parts, of 10, 10, 9 and 9 samples, are those of the step on all 38, to rounding."""
    assert steps.furthest(found["whole"].moments, found["parts"].moments) < 5e-6
    assert found["parts"].loss == pytest.approx(found["whole"].loss, rel=1e-6)
    assert steps.furthest(found["whole"].moments, found["fewer"].moments) > 0.1
    scaled = steps.furthest(found["float16"].moments, found["float16 in parts"].moments)
    assert scaled < 2**-10


def mixed_precision_rounds_layers(found: dict[str, Step], dtype: str) -> None:
    """Gradients move by about the rounding of ``dtype``, and everything that is saved is in float32."""
    rounding = {"float16": 2**-11, "bfloat16": 2**-8}[dtype]
    assert rounding / 30 < steps.furthest(found["whole"].moments, found[dtype].moments) < 30 * rounding
    assert {array.dtype for array in found[dtype].moments.values()} == {np.dtype(np.float32)}
    scales = [float(array) for name, array in found[dtype].state.items() if name.endswith("scale")]
    assert scales == ([] if dtype == "bfloat16" else [max(scales)])
    assert all(scale > 1 for scale in scales)


RECOMPUTED: dict[str, dict[str, Any]] = {
    "recomputed": {"shape": (32768, 64), "recompute": True},
    "plain": {"shape": (32768, 64)},
}
"""Each in a process of its own: the peak of memory rises by what the step needs, and by what any first step costs."""


def recomputed(folder: Path, framework: str) -> dict[str, Step]:
    """Return one step of each, which the checks below compare."""
    return {
        name: steps.take(folder / name, networks.DEEP, framework, {name: plan})[name]
        for name, plan in RECOMPUTED.items()
    }


def gradients_are_those_without_recomputing(found: dict[str, Step], tolerance: float) -> None:
    """So is the loss; moving averages and random states are so to the bit, and have moved once."""
    kept, again = found["plain"], found["recomputed"]
    assert steps.furthest(kept.moments, again.moments) <= tolerance
    assert steps.furthest(kept.statistics, again.statistics) == 0
    assert again.loss == pytest.approx(kept.loss, rel=tolerance)


def recomputing_needs_less_memory(found: dict[str, Step]) -> None:
    """38 layers of 8 MiB each stay in memory, or about 13."""
    assert found["plain"].grown_bytes - found["recomputed"].grown_bytes > 10 * 8 * 2**20


def a_network_without_a_chain_is_refused(folder: Path, framework: str, message: str) -> None:
    """Nothing is trained, and the hint names the flag."""
    with pytest.raises(IsoformError) as caught:
        networks.trained(folder, networks.FLAT, framework, recompute=True)
    assert caught.value.what == message
    assert caught.value.hint.startswith("Leave out --recompute")


def event_files_hold_curves_and_the_network(folder: Path, framework: str, operators: set[str]) -> None:
    """TensorBoard's own reader finds every tag of each epoch, and a graph with the operators of the network."""
    record = networks.trained(folder, networks.HIDDEN, framework, keep="best")
    events = list(EventFileLoader(str(next((record.checkpoint.parent / "tensorboard").iterdir()))).Load())
    values = [(event.step, value.tag) for event in events for value in event.summary.value]
    assert {tag for step, tag in values if step == 2} == set(TAGS)
    assert Counter(step for step, _ in values)[1] >= len(TAGS) - 2  # the first steps are warm-up, and not timed
    (drawn,) = [GraphDef.FromString(event.graph_def) for event in events if event.graph_def]
    assert operators <= {node.op for node in drawn.node}
    assert any("hidden" in node.name or "0" in node.name for node in drawn.node)


def two_workers_learn_what_one_does(folder: Path, framework: str) -> None:
    """With batches in three parts on each worker: losses, accuracies and weights are those of one, to rounding."""
    one = networks.trained(folder / "one", networks.HIDDEN, framework)
    two = networks.trained(folder / "two", networks.HIDDEN, framework, workers=2, accumulate=3)
    for alone, together in zip(one.record["epochs"], two.record["epochs"], strict=True):
        for name in ("loss", "test_loss"):
            assert together[name] == pytest.approx(alone[name], rel=1e-6)
        for name in ("accuracy", "test_accuracy"):
            assert together[name] == alone[name]
    assert weights.difference(one.checkpoint, two.checkpoint) < 1e-5
    assert one.record["scaling"] is None
    scaling = two.record["scaling"]
    assert (scaling["workers"], scaling["cores_per_worker"]) == (2, max(1, len(os.sched_getaffinity(0)) // 2))
    assert scaling["efficiency"] == pytest.approx(scaling["one_worker_step_ms"]["p50"] / scaling["step_ms"]["p50"] / 2)


def two_workers_normalise_by_the_whole_batch(folder: Path, framework: str) -> None:
    """Losses, and weights with their moving averages, are those of one worker, to rounding."""
    one = networks.trained(folder / "one", networks.NORMALISED, framework, learning_rate=1e-3)
    two = networks.trained(folder / "two", networks.NORMALISED, framework, learning_rate=1e-3, workers=2)
    for name in ("loss", "test_loss"):
        wanted = [epoch[name] for epoch in one.record["epochs"]]
        assert [epoch[name] for epoch in two.record["epochs"]] == pytest.approx(wanted, rel=5e-6)
    assert weights.difference(one.checkpoint, two.checkpoint) < 1e-5


def a_killed_training_of_two_workers_goes_on(folder: Path) -> None:
    """The first worker is killed in the second epoch: the other one ends too, and the same command goes on."""
    plan = {"workers": 2, "epochs": 2}
    whole = networks.trained(folder / "whole", networks.HIDDEN, "torch", **plan)

    def kill_in_the_second_epoch(pool: Pool, event: dict[str, Any]) -> None:
        if event["epoch"] == 2:
            os.kill(min(child.pid for child in pool._all), signal.SIGKILL)

    with pytest.raises(IsoformError) as caught:
        networks.trained(folder / "cut", networks.HIDDEN, "torch", kill_in_the_second_epoch, **plan)
    assert caught.value.what.startswith("Worker 1 of 2 failed: train_torch.train was killed")
    begun: list[int] = []
    resumed = networks.trained(
        folder / "cut", networks.HIDDEN, "torch", lambda _, event: begun.append(event["epoch"]), **plan
    )
    assert min(begun) == 2
    assert networks.learnt(resumed.record) == networks.learnt(whole.record)
    assert resumed.record["files"]["weights.safetensors"] == whole.record["files"]["weights.safetensors"]
