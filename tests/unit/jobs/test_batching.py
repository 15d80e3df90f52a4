"""Whether samples may be computed together is seen, not believed: rounding may differ, what mixes them may not pass."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Floor
from isoform.core.protocols import Bound
from isoform.core.signature import Signature, TensorSpec
from isoform.jobs import batching

Array = np.ndarray[Any, Any]


class Session:
    """A model that is a function of ``x``."""

    def __init__(self, compute: Callable[[Array], Array], signature: Signature) -> None:
        self.signature = signature
        self._compute = compute

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        return {"y": self._compute(inputs["x"])}

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def doubled(x: Array) -> Array:
    return 2 * x


def rounded_by_batch(x: Array) -> Array:
    return (2 * x * np.float32(1 + 6e-8 * len(x))).astype(np.float32)


def scaled_by_batch(x: Array) -> Array:
    step = np.abs(x).max() / 127
    return (2 * step * np.round(x / step)).astype(np.float32)


def centred(x: Array) -> Array:
    return x - x.mean(axis=0)


def largest_of_all(x: Array) -> Array:
    return (x == x.max()).astype(np.int64)


def largest_of_each(x: Array) -> Array:
    return x.argmax(axis=1)


def one_row(x: Array) -> Array:
    return x[:1]


def why_not(folder: Path, compute: Callable[[Array], Array], samples: int = 4, batch: str | int = "n") -> str:
    signature = Signature((TensorSpec("x", "float32", (batch, 3)),), (TensorSpec("y", "float32", (batch, 3)),))
    x = np.random.default_rng(5).normal(size=(samples, 3)).astype(np.float32)
    y = {"y": 2 * x.astype(np.float64)}
    known = Cases(("given",), ({"x": x},)).with_reference([y], [{"y": 2 * x}], {"y": (Floor(1e-7, 2e-7),)})
    case_files.save(known, folder / "cases.npz")
    artifact = Artifact("onnx", folder / "model.onnx", signature)
    return batching.why_not(Session(compute, signature), artifact, registry.runtime("ort-cpu"), folder / "cases.npz")


@pytest.mark.parametrize("compute", [doubled, rounded_by_batch, largest_of_each])
def test_samples_that_answer_alike_apart_and_together_are_batched(
    tmp_path: Path, compute: Callable[[Array], Array]
) -> None:
    assert why_not(tmp_path, compute) == ""


@pytest.mark.parametrize("compute", [scaled_by_batch, centred, largest_of_all, one_row])
def test_a_value_taken_over_all_samples_keeps_them_apart(tmp_path: Path, compute: Callable[[Array], Array]) -> None:
    assert why_not(tmp_path, compute) == "'y' of a sample depends on the samples beside it"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"batch": 4}, "its inputs and outputs have no dynamic batch axis in common"),
        ({"samples": 1}, "no recorded case tells whether samples depend on each other"),
    ],
)
def test_what_cannot_be_batched_says_why(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    assert why_not(tmp_path, doubled, **options) == reason
