"""What a checkpoint holds, as arrays that can be compared across frameworks."""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

Array = npt.NDArray[Any]


def of(checkpoint: Path) -> list[Array]:
    """Return every float array of a checkpoint, dense kernels [in, out], in the order of its file."""
    if checkpoint.suffix == ".safetensors":
        found = [array.T if array.ndim == 2 else array for array in load_file(checkpoint).values()]
        return [array for array in found if array.dtype.kind == "f"]
    import h5py

    read: list[Array] = []
    with zipfile.ZipFile(checkpoint) as archive, h5py.File(BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(lambda _, item: read.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return [array for array in read if array.dtype.kind == "f"]


def softmax(checkpoint: Path) -> tuple[Array, Array]:
    """Return weights [64, 10] and bias [10] of `training.networks.SOFTMAX`."""
    matrices = sorted(of(checkpoint), key=np.ndim)
    return matrices[1], matrices[0]


def difference(first: Path, second: Path) -> float:
    """Return the largest difference between two checkpoints' numbers, against the largest number of the first."""
    pairs = list(zip(of(first), of(second), strict=True))
    return max(float(np.abs(a - b).max()) for a, b in pairs) / max(float(np.abs(a).max()) for a, _ in pairs)
