"""MNIST in its own IDX files, gzipped or not: grey images of 28 by 28 pixels in ten classes.

Source of the format: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits.
"""

import gzip
import zlib
from pathlib import Path

import numpy as np

from isoform.data.dataset import Array, RawData, Subset, damaged, missing

FOLDERS: tuple[str, ...] = ("MNIST/raw", "MNIST", "mnist")
WANTED = "MNIST (train-images-idx3-ubyte[.gz] and its three companions)"

_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def is_here(folder: Path) -> bool:
    return any(_existing(folder / name) is not None for name in _FILES)


def files(folder: Path) -> list[Path]:
    found = []
    for name in _FILES:
        path = _existing(folder / name)
        if path is None:
            raise missing(folder / name)
        found.append(path)
    return found


def read(folder: Path) -> RawData:
    train_images, train_labels, test_images, test_labels = files(folder)
    return RawData(
        "mnist",
        _subset(train_images, train_labels),
        _subset(test_images, test_labels),
        "MNIST, handwritten digits of 28x28 pixels.",
        scale=255.0,
    )


def read_idx(path: Path, dimensions: int) -> Array:
    """Return the uint8 array of an IDX file: magic 0x0000 08 ndim, big-endian sizes, then the bytes.

    Raises:
        IsoformError: the file is truncated, is no IDX file, or has another number of dimensions.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged(path, f"the gzip stream is broken ({error})") from error
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes((0, 0, 8, dimensions)):
        raise damaged(path, f"it does not begin like an IDX file of {dimensions} dimensions")
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).tolist()
    expected = header + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        raise damaged(path, f"{len(content)} bytes where its header promises {expected}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _subset(images_path: Path, labels_path: Path) -> Subset:
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise damaged(labels_path, f"{len(labels)} labels for {len(images)} images")
    if len(labels) and labels.max() > 9:
        raise damaged(labels_path, f"the label {labels.max()} is none of 0 to 9")
    return Subset(images[..., np.newaxis], labels.astype(np.int64))


def _existing(path: Path) -> Path | None:
    return next((found for found in (path, path.with_name(path.name + ".gz")) if found.is_file()), None)
