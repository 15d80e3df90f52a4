"""The Large Movie Review Dataset (aclImdb) in its own folders: one review a file, under pos and neg.

Source: A. Maas et al., Learning Word Vectors for Sentiment Analysis, ACL 2011.
"""

from pathlib import Path

import numpy as np

from isoform.data.dataset import RawData, Subset, damaged, missing

FOLDERS: tuple[str, ...] = ("aclImdb",)
WANTED = "aclImdb (train/pos, train/neg, test/pos and test/neg with one review a .txt file)"

_PARTS = ("train/pos", "train/neg", "test/pos", "test/neg")


def is_here(folder: Path) -> bool:
    return any((folder / part).is_dir() for part in _PARTS)


def files(folder: Path) -> list[Path]:
    return [path for part in _PARTS for path in _texts(folder / part)]


def read(folder: Path) -> RawData:
    return RawData(
        "aclImdb",
        _subset(folder / "train"),
        _subset(folder / "test"),
        "Large Movie Review Dataset, reviews that are clearly positive or clearly negative.",
    )


def _subset(folder: Path) -> Subset:
    texts: list[str] = []
    labels: list[int] = []
    for label, part in ((1, "pos"), (0, "neg")):
        for path in _texts(folder / part):
            try:
                texts.append(path.read_text(encoding="utf-8"))
            except UnicodeDecodeError as error:
                raise damaged(path, f"it is not UTF-8 ({error.reason} at byte {error.start})") from error
            labels.append(label)
    return Subset(tuple(texts), np.array(labels, np.int64))


def _texts(folder: Path) -> list[Path]:
    """Return the reviews of one folder in the order of their names; a folder without any counts as missing."""
    found = sorted(folder.glob("*.txt"))
    if not found:
        raise missing(folder / "*.txt")
    return found
