"""Faults in the weights of an ExecuTorch program: the bytes of a copy are changed where a kernel or XNNPACK reads them.

What layers do stands in instructions that are compiled for one memory plan; faults in them are planted before, in PT2.
"""

from pathlib import Path

import numpy as np

from isoform.core.artifact import Artifact
from isoform.hub.faults.table import Fault
from isoform.hub.faults.weights import WEIGHT_FAULTS, Change, Weight
from isoform.intake.pte_file import Program


def opened(artifact: Artifact) -> Program:
    """Return the program of an artifact, its bytes a copy in memory."""
    return Program(artifact.model, is_writable=True)


def save(program: Program, target: Path) -> None:
    """Write the program as a file."""
    target.write_bytes(program.data)


def _of_weights(change: Change) -> Fault[Program]:
    def fault(program: Program, rng: np.random.Generator) -> str | None:
        held = program.weights()
        changed = change([_weight(name, array) for name, array in held.items() if array.dtype == np.float32], rng)
        if changed is None:
            return None
        name, array = changed
        held[name][...] = array
        return f"'{name}'"

    return fault


def _weight(name: str, array: np.ndarray) -> Weight:
    """Return a constant as what its axes make it: XNNPACK keeps kernels of images as [out, height, width, in]."""
    window = (1, 2) if array.ndim == 4 and name.startswith("xnnpack") else (2, 3) if array.ndim == 4 else None
    return Weight(name, array, is_kernel=array.ndim > 1, window=window)


FAULTS: dict[str, Fault[Program]] = {
    name: _of_weights(change) for name, change in WEIGHT_FAULTS.items() if name != "two swapped gates"
}
