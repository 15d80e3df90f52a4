"""Steps of training in a process of their own, and their gradients compared."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.stages.train_workers import SIDE_BY_SIDE
from training import networks

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Step:
    """What one step came to.

    Attributes:
        state: everything that the learner would save.
        grown_bytes: by how much the peak of the process's resident memory rose.
    """

    state: dict[str, Array]
    loss: float
    grown_bytes: int

    @property
    def moments(self) -> dict[str, Array]:
        """Adam's moments: after one step, 0.1 of the gradient and 0.001 of its square."""
        return self._named("exp_avg", "_momentum", "_velocity")

    @property
    def statistics(self) -> dict[str, Array]:
        """The moving averages of batch normalisation, how many batches they have seen, and random states."""
        return self._named("running_", "num_batches", "moving_", "seed_generator")

    def _named(self, *words: str) -> dict[str, Array]:
        return {name: array for name, array in self.state.items() if any(word in name for word in words)}


def take(folder: Path, network: dict[str, str], framework: str, plans: Mapping[str, dict[str, Any]]) -> dict[str, Step]:
    """Return by name what one step of each plan comes to, all in one process; ``shape`` is that of the inputs."""
    networks.write(folder, network)
    asked = {
        str(folder / f"{name}.npz"): {"shape": plan["shape"], "plan": {k: v for k, v in plan.items() if k != "shape"}}
        for name, plan in plans.items()
    }
    (folder / "request.json").write_text(json.dumps({"framework": framework, "root": str(folder), "steps": asked}))
    environment = {
        **os.environ, **SIDE_BY_SIDE, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2",
        "MALLOC_MMAP_THRESHOLD_": str(1 << 16),  # freed tensors leave resident memory at once
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("child.py")), str(folder / "request.json")],
        capture_output=True, text=True, check=False, env=environment, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: _read(folder / f"{name}.npz") for name in plans}


def furthest(first: dict[str, Array], second: dict[str, Array]) -> float:
    """Return the largest difference of an array from its partner, against the largest number in it."""
    assert first.keys() == second.keys()
    assert first
    return max(
        float(np.abs(first[name] - second[name]).max() / max(np.abs(first[name]).max(), 1e-30)) for name in first
    )


def _read(path: Path) -> Step:
    with np.load(path) as archive:
        state = dict(archive)
    return Step(state, float(state.pop("loss")), int(state.pop("grown")))
