"""What a data set is: samples with labels, in two parts, and how a batch of them is made.

Samples stay as small as they came; only a batch is resized and turned into float32, so that large images never lie in
memory all at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from isoform.errors import IsoformError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Subset:
    """Samples as they came and their labels: images [n, height, width, channel] or n texts; labels int64 [n]."""

    samples: Array | tuple[str, ...]
    labels: Array


@dataclass(frozen=True)
class RawData:
    """A data set as it was read.

    Attributes:
        scale: the largest value of a pixel; a batch holds values in [0, 1].
        is_generated: made by a program; every record and figure has to say so.
    """

    name: str
    train: Subset
    test: Subset
    description: str
    scale: float = 1.0
    is_generated: bool = False


@dataclass(frozen=True)
class Split:
    """Samples that become batches.

    Attributes:
        make_batch: samples to the array that the model takes.
    """

    samples: Sequence[Any] | Array
    labels: Array
    make_batch: Callable[[Sequence[Any]], Array]

    def __len__(self) -> int:
        return len(self.samples)

    def batch(self, indices: Array) -> tuple[Array, Array]:
        """Return the inputs and the labels at ``indices``, in their order."""
        return self.make_batch([self.samples[index] for index in indices]), self.labels[indices]

    def batches(self, size: int, order: Array | None = None) -> Iterator[tuple[Array, Array]]:
        """Yield the whole split in batches of ``size``, the last one smaller; in file order unless told another."""
        order = np.arange(len(self)) if order is None else order
        for begin in range(0, len(order), size):
            yield self.batch(order[begin : begin + size])


@dataclass(frozen=True)
class Dataset:
    """A data set in the shape of one model's input."""

    name: str
    train: Split
    test: Split
    is_generated: bool
    description: str

    def to_json(self) -> dict[str, Any]:
        """Return the ``dataset`` object of a training record."""
        return {
            "name": self.name,
            "is_generated": self.is_generated,
            "description": self.description,
            "train_samples": len(self.train),
            "test_samples": len(self.test),
        }


class Reader(Protocol):
    """A module that reads one published data set in its own layout."""

    FOLDERS: tuple[str, ...]
    """Where its files stand below a folder that holds several data sets."""
    WANTED: str
    """What to put there, for people."""

    def is_here(self, folder: Path) -> bool:
        """Return whether ``folder`` looks like this data set, whole or not."""

    def files(self, folder: Path) -> list[Path]:
        """Return every file of it, or raise IsoformError naming the first that is missing."""

    def read(self, folder: Path) -> RawData:
        """Return it, or raise IsoformError naming the file that is missing or damaged."""


def missing(path: Path) -> IsoformError:
    """Return the error for a file that a data set cannot do without."""
    return IsoformError(
        f"{path}: this file of the data set is missing.", "Unpack the whole data set there.", kind="data"
    )


def damaged(path: Path, why: str) -> IsoformError:
    """Return the error for a file of a data set that is not what it should be."""
    return IsoformError(f"{path}: damaged, {why}.", "Fetch this file of the data set again.", kind="data")
