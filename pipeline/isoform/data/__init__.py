"""The data sets that the reference models learn from, as numpy arrays in the layout that a signature asks for.

To add one: a module with a ``read`` function that returns `RawData`, and a line in `read` below. Not aware of models,
frameworks or training.
"""

from collections.abc import Callable
from pathlib import Path

from isoform.core import spelling
from isoform.core.signature import TensorSpec
from isoform.data import cifar, digits, imdb, mnist, reviews
from isoform.data.dataset import Dataset, RawData, Reader, Split, Subset
from isoform.data.images import channels_wanted, prepare_images
from isoform.data.tokenizer import encode
from isoform.errors import IsoformError, UsageError

__all__ = ["Dataset", "RawData", "Split", "Subset", "prepare", "read", "source_files"]

BUNDLED: dict[str, Callable[[], RawData]] = {"digits": digits.read, "reviews": reviews.read}


def read(source: str, spec: TensorSpec, data_dir: Path | None = None) -> RawData:
    """Return the samples and labels of a data set, not yet in the shape of ``spec``.

    Args:
        source: a manifest's ``[data] source``: "digits" or "reviews".
        data_dir: a folder with a real data set of the same kind, which is then read instead: MNIST or CIFAR-10 for
            images, aclImdb for texts; or a folder that holds several of them under their own names.

    Raises:
        UsageError: no data set is called ``source``.
        IsoformError: ``data_dir`` holds nothing that suits, or one of its files is missing or damaged.
    """
    if source not in BUNDLED:
        raise UsageError(f"There is no data set '{source}'.", spelling.hint(source, BUNDLED))
    if data_dir is None:
        return BUNDLED[source]()
    reader, folder = _located(source, spec, data_dir)
    return reader.read(folder)


def source_files(source: str, spec: TensorSpec, data_dir: Path) -> list[Path]:
    """Return the files in ``data_dir`` that `read` opens, so that their digests can stand for the data."""
    reader, folder = _located(source, spec, data_dir)
    return reader.files(folder)


def prepare(raw: RawData, spec: TensorSpec, tokenizer: Path | None = None) -> Dataset:
    """Return ``raw`` as batches of the input ``spec``: images resized, texts turned into ids by ``tokenizer``.

    Raises:
        UsageError: the input has another kind than the data.
    """
    if not isinstance(raw.train.samples, tuple):
        make_batch = prepare_images(spec, raw.scale)
        train, test = (Split(subset.samples, subset.labels, make_batch) for subset in (raw.train, raw.test))
    elif tokenizer is None:
        raise UsageError(
            f"'{spec.name}' wants numbers and '{raw.name}' holds texts.", "Add a [tokenizer] section to isoform.toml."
        )
    else:
        train, test = (encode(subset, spec, tokenizer) for subset in (raw.train, raw.test))
    return Dataset(raw.name, train, test, raw.is_generated, raw.description)


def _located(source: str, spec: TensorSpec, data_dir: Path) -> tuple[Reader, Path]:
    """Return the reader whose files stand in ``data_dir``, and the folder in which they stand."""
    if source == "reviews":
        readers: list[Reader] = [imdb]
    else:
        readers = [cifar, mnist] if channels_wanted(spec) == 3 else [mnist, cifar]
    for reader in readers:
        for folder in (data_dir, *(data_dir / name for name in reader.FOLDERS)):
            if reader.is_here(folder):
                return reader, folder
    raise IsoformError(
        f"{data_dir}: no data set that suits the input '{spec.name}'.",
        f"Put there {' or '.join(reader.WANTED for reader in readers)}.",
        kind="data",
    )
