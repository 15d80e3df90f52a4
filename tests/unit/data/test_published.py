"""MNIST, CIFAR-10 and aclImdb in their own layouts, written here byte by byte, whole and damaged."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isoform import data
from isoform.core.signature import TensorSpec
from isoform.errors import IsoformError

FLAT = TensorSpec("image", "float32", ("batch", 784))
COLOUR = TensorSpec("image", "float32", ("batch", 3, 32, 32), "NCHW")
TOKENS = TensorSpec("tokens", "int64", ("batch", "length"))
REFETCH = "Fetch this file of the data set again."
UNPACK = "Unpack the whole data set there."


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_mnist(folder: Path, *, is_gzipped: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 5), ("t10k", 3)):
        images = rng.integers(0, 256, (count, 28, 28))
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", np.arange(count))):
            content = idx(array)
            path = folder / (name + ".gz" if is_gzipped else name)
            path.write_bytes(gzip.compress(content) if is_gzipped else content)


def write_cifar(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate([*(f"data_batch_{index}.bin" for index in range(1, 6)), "test_batch.bin"]):
        record = bytes([number]) + bytes([10] * 1024) + bytes([20] * 1024) + bytes([number] * 1024)
        (folder / name).write_bytes(record * 2)


def write_imdb(folder: Path) -> None:
    for part in ("train", "test"):
        for label in ("pos", "neg"):
            (folder / part / label).mkdir(parents=True)
            for index in range(2):
                (folder / part / label / f"{index}_9.txt").write_text(f"{part} {label} café {index}", encoding="utf-8")


@pytest.mark.parametrize("is_gzipped", [False, True])
def test_mnist_is_read_plain_and_gzipped(tmp_path: Path, is_gzipped: bool) -> None:
    write_mnist(tmp_path, is_gzipped=is_gzipped)
    raw = data.read("digits", FLAT, tmp_path)
    dataset = data.prepare(raw, FLAT)
    inputs, labels = dataset.train.batch(np.array([3, 0]))
    assert (raw.name, raw.is_generated, len(dataset.train), len(dataset.test)) == ("mnist", False, 5, 3)
    assert labels.tolist() == [3, 0]
    expected = np.random.default_rng(0).integers(0, 256, (5, 28, 28))[[3, 0]].reshape(2, 784) / 255
    np.testing.assert_allclose(inputs, expected, rtol=1e-6)


def test_cifar_planes_become_the_channels_of_one_image(tmp_path: Path) -> None:
    write_cifar(tmp_path / "cifar-10-batches-bin")
    dataset = data.prepare(data.read("digits", COLOUR, tmp_path), COLOUR)
    inputs, labels = dataset.train.batch(np.array([9]))
    assert (dataset.name, len(dataset.train), len(dataset.test)) == ("cifar-10", 10, 2)
    assert labels.tolist() == [4]
    np.testing.assert_allclose(inputs.mean(axis=(2, 3)) * 255, [[10, 20, 4]], rtol=1e-6)


def test_imdb_gives_texts_with_one_for_positive(tmp_path: Path) -> None:
    write_imdb(tmp_path / "aclImdb")
    raw = data.read("reviews", TOKENS, tmp_path)
    assert raw.name == "aclImdb"
    assert raw.train.samples == ("train pos café 0", "train pos café 1", "train neg café 0", "train neg café 1")
    assert raw.test.labels.tolist() == [1, 1, 0, 0]


def test_a_folder_with_both_image_sets_gives_the_one_with_the_channels_wanted(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    write_cifar(tmp_path / "cifar-10-batches-bin")
    assert data.read("digits", FLAT, tmp_path).name == "mnist"
    assert data.read("digits", COLOUR, tmp_path).name == "cifar-10"


def test_source_files_are_those_that_are_read(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "unrelated.txt").write_text("x")
    names = [path.name for path in data.source_files("digits", FLAT, tmp_path)]
    assert names == [
        "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
    ]  # fmt: skip


def refused(source: str, spec: TensorSpec, folder: Path) -> tuple[str, str, str]:
    with pytest.raises(IsoformError) as caught:
        data.read(source, spec, folder)
    return caught.value.what, caught.value.hint, caught.value.kind


def test_an_empty_folder_is_refused_with_what_would_suit(tmp_path: Path) -> None:
    assert refused("reviews", TOKENS, tmp_path) == (
        f"{tmp_path}: no data set that suits the input 'tokens'.",
        "Put there aclImdb (train/pos, train/neg, test/pos and test/neg with one review a .txt file).",
        "data",
    )


Break = Callable[[Path], object]


@pytest.mark.parametrize(
    ("name", "damage", "why"),
    [
        ("train-images-idx3-ubyte", lambda path: path.write_bytes(path.read_bytes()[:-1]),
         "damaged, 3935 bytes where its header promises 3936."),
        ("train-images-idx3-ubyte", lambda path: path.write_bytes(b"\0\0\x08\x01" + path.read_bytes()[4:]),
         "damaged, it does not begin like an IDX file of 3 dimensions."),
        ("t10k-labels-idx1-ubyte", lambda path: path.write_bytes(b""),
         "damaged, it does not begin like an IDX file of 1 dimensions."),
        ("t10k-labels-idx1-ubyte", lambda path: path.write_bytes(idx(np.arange(2))),
         "damaged, 2 labels for 3 images."),
        ("t10k-labels-idx1-ubyte", lambda path: path.write_bytes(idx(np.array([1, 2, 10]))),
         "damaged, the label 10 is none of 0 to 9."),
    ],
    ids=["short", "magic", "empty", "count", "label"],
)  # fmt: skip
def test_a_damaged_mnist_file_is_named_with_the_reason(tmp_path: Path, name: str, damage: Break, why: str) -> None:
    write_mnist(tmp_path)
    damage(tmp_path / name)
    assert refused("digits", FLAT, tmp_path) == (f"{tmp_path / name}: {why}", REFETCH, "data")


def test_a_cut_gzip_stream_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path, is_gzipped=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:100])
    what, hint, _ = refused("digits", FLAT, tmp_path)
    assert what.startswith(f"{path}: damaged, the gzip stream is broken (")
    assert hint == REFETCH


def test_a_huge_size_in_an_idx_header_allocates_nothing(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(b"\0\0\x08\x03" + b"\xff" * 12 + b"\0" * 10)
    promised = 16 + (2**32 - 1) ** 3
    assert refused("digits", FLAT, tmp_path)[0] == f"{path}: damaged, 26 bytes where its header promises {promised}."


@pytest.mark.parametrize("name", ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"])
def test_a_missing_mnist_file_is_named(tmp_path: Path, name: str) -> None:
    write_mnist(tmp_path)
    (tmp_path / name).unlink()
    expected = (f"{tmp_path / name}: this file of the data set is missing.", UNPACK, "data")
    assert refused("digits", FLAT, tmp_path) == expected


def test_a_missing_or_damaged_cifar_file_is_named(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    path = tmp_path / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-5])
    assert refused("digits", COLOUR, tmp_path) == (
        f"{path}: damaged, 6141 bytes are no whole number of records of 3073.", REFETCH, "data",
    )  # fmt: skip
    path.write_bytes(bytes([11]) * 3073)
    assert refused("digits", COLOUR, tmp_path)[0] == f"{path}: damaged, the label 11 is none of 0 to 9."
    path.unlink()
    assert refused("digits", COLOUR, tmp_path)[0] == f"{path}: this file of the data set is missing."


def test_a_missing_or_damaged_review_is_named(tmp_path: Path) -> None:
    write_imdb(tmp_path)
    path = tmp_path / "test" / "neg" / "1_9.txt"
    path.write_bytes(b"ab\xff")
    why = "damaged, it is not UTF-8 (invalid start byte at byte 2)."
    assert refused("reviews", TOKENS, tmp_path) == (f"{path}: {why}", REFETCH, "data")
    for review in path.parent.glob("*.txt"):
        review.unlink()
    assert refused("reviews", TOKENS, tmp_path)[0] == f"{path.parent / '*.txt'}: this file of the data set is missing."
