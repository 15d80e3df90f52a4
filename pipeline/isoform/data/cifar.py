"""CIFAR-10 in its own binary files: colour images of 32 by 32 pixels in ten classes.

Source of the format: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009: one record is a
label byte, then 1,024 red, 1,024 green and 1,024 blue bytes.
"""

from pathlib import Path

import numpy as np

from isoform.data.dataset import RawData, Subset, damaged, missing

FOLDERS: tuple[str, ...] = ("cifar-10-batches-bin",)
WANTED = "CIFAR-10's binary version (data_batch_1.bin to data_batch_5.bin, test_batch.bin)"

_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_TEST = ("test_batch.bin",)
_RECORD_BYTES = 1 + 3 * 32 * 32


def is_here(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _TRAIN + _TEST)


def files(folder: Path) -> list[Path]:
    for name in _TRAIN + _TEST:
        if not (folder / name).is_file():
            raise missing(folder / name)
    return [folder / name for name in _TRAIN + _TEST]


def read(folder: Path) -> RawData:
    paths = files(folder)
    return RawData(
        "cifar-10",
        _subset(paths[:-1]),
        _subset(paths[-1:]),
        "CIFAR-10, photographs of 32x32 pixels in ten classes.",
        scale=255.0,
    )


def _subset(paths: list[Path]) -> Subset:
    parts = []
    for path in paths:
        content = np.fromfile(path, np.uint8)
        if len(content) == 0 or len(content) % _RECORD_BYTES:
            raise damaged(path, f"{len(content)} bytes are no whole number of records of {_RECORD_BYTES}")
        records = content.reshape(-1, _RECORD_BYTES)
        if records[:, 0].max() > 9:
            raise damaged(path, f"the label {records[:, 0].max()} is none of 0 to 9")
        parts.append(records)
    records = np.concatenate(parts)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # [n, 32, 32, 3]
    return Subset(images, records[:, 0].astype(np.int64))
