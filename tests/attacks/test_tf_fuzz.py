"""200 mutations of each file that Keras and TensorFlow write, through the child that loads it: opened, or refused."""

import inspect
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks.contract import held, opened
from attacks.mutations import inside, mutations
from isoform.errors import IsoformError
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Pool

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
COUNT = 200
SEVEN_IN_TEN = 140
NOT_OURS = {"timeout", "protocol", "failed"}
"""TensorFlow may end its process over a damaged file; what it raises never goes unnamed."""


def network() -> keras.Model:
    x = keras.Input((3,), name="x")
    return keras.Model(x, keras.layers.Dense(2, activation="relu", name="d")(x))


def save(model: keras.Model, weight: tf.Variable, folder: Path) -> None:
    """Write one small network in every form that Keras and TensorFlow have for it."""
    (folder / "network.py").write_text(f"import keras\n{inspect.getsource(network)}")
    model.save(folder / "m.keras")
    model.save_weights(folder / "m.weights.h5")
    model.save(folder / "legacy.h5")
    module = tf.Module()
    module.weight = weight
    module.f = tf.function(
        lambda x: tf.nn.relu(x @ module.weight), input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")]
    )
    tf.saved_model.save(module, str(folder / "served"), signatures=module.f)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras")
    save(network(), tf.Variable(tf.ones([3, 2])), folder)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "m")


def spoiled(folder: Path, name: str) -> Iterator[dict[Path, bytes]]:
    """Yield the changed files of a source: an archive's members as well, a folder's files in turn."""
    path = folder / name
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.is_file() and file.name != "fingerprint.pb"]
        each = [mutations(file.read_bytes(), COUNT // len(files) + 1, seed) for seed, file in enumerate(files)]
        rows = ({file: data} for group in zip(*each, strict=True) for file, data in zip(files, group, strict=True))
        yield from itertools.islice(rows, COUNT)
        return
    data = path.read_bytes()
    count = COUNT - SEVEN_IN_TEN if name.endswith(".keras") else COUNT
    deeper = inside(data, COUNT - count) if count < COUNT else ()
    for changed in itertools.chain(mutations(data, count), deeper):
        yield {path: changed}


def arch(folder: Path, name: str) -> str | None:
    return f"{folder / 'network.py'}:network" if name.endswith(".weights.h5") else None


SOURCES = ["m.keras", "m.weights.h5", "legacy.h5", "served"]


@pytest.mark.parametrize("name", SOURCES)
def test_a_spoiled_source_loads_or_is_refused(folder: Path, pool: Pool, name: str) -> None:
    request = FileRequest(folder / name, arch(folder, name))
    kinds = opened(request, spoiled(folder, name), pool, folder / "work")
    assert sum(kinds.values()) == COUNT
    assert kinds["opened"]
    assert not set(kinds) & NOT_OURS, kinds


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", ["m.keras", "served"])
def test_a_command_on_a_spoiled_source_holds_the_contract(folder: Path, name: str) -> None:
    some = itertools.islice(spoiled(folder, name), 0, None, COUNT // 6)
    held(folder / name, some, "--to", "onnx", "--no-verify")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", SOURCES)
def test_a_weight_that_is_no_number_is_named(tmp_path: Path, pool: Pool, name: str, value: float) -> None:
    weight = np.arange(6, dtype=np.float32).reshape(3, 2)
    weight[1, 1] = value
    model = network()
    model.layers[-1].set_weights([weight, np.zeros(2, np.float32)])
    save(model, tf.Variable(weight), tmp_path)
    with pytest.raises(IsoformError, match="1 weights hold NaN or infinities: ") as caught:
        from_file(FileRequest(tmp_path / name, arch(tmp_path, name)), pool, tmp_path / "work")
    assert "--allow-nonfinite" in caught.value.hint
