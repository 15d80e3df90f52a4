"""SavedModels that reach out of themselves are refused before they are loaded (fault 12)."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

from isoform.errors import IsoformError
from isoform.intake.container import admit, identify
from isoform.intake.contents import described
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Pool

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def saved(path: Path, function: Callable[[Any], Any]) -> Path:
    module = tf.Module()
    module.f = tf.function(function, input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    tf.saved_model.save(module, str(path), signatures=module.f)
    return path


def in_main(marker: str) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        tf.io.write_file(marker, "1")
        return x + 1

    return function


def in_branch(marker: str) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x + tf.strings.to_number(tf.io.read_file(marker)), lambda: x)

    return function


def in_data_set(marker: str) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        lines = tf.data.Dataset.range(2).map(lambda _: tf.strings.to_number(tf.io.read_file(marker)))
        return x + lines.reduce(0.0, lambda total, line: total + line)

    return function


def in_serialized_data_set(marker: str) -> Callable[[Any], Any]:
    """The data set's graph stands in a constant, as text."""
    lines = tf.data.Dataset.range(2).map(lambda _: tf.strings.to_number(tf.io.read_file(marker)))
    graph = lines._as_serialized_graph().numpy()

    def function(x: Any) -> Any:
        return x + tf.cast(tf.size(tf.raw_ops.DatasetFromGraph(graph_def=tf.constant(graph))), tf.float32)

    return function


def in_saver(marker: str) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        tf.raw_ops.SaveV2(prefix=marker, tensor_names=["x"], shape_and_slices=[""], tensors=[x])
        return x + 1

    return function


def in_restore(marker: str) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        found = tf.raw_ops.RestoreV2(prefix=marker, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32])
        return x + found[0]

    return function


@pytest.mark.parametrize(
    ("make", "operator"),
    [
        (in_main, "WriteFile"),
        (in_branch, "ReadFile"),
        (in_data_set, "ReadFile"),
        (in_serialized_data_set, "ReadFile"),
        (in_saver, "SaveV2"),
        (in_restore, "RestoreV2"),
    ],
)
def test_files_read_or_written_anywhere_in_the_graph_are_found(
    tmp_path: Path, make: Callable[[str], Callable[[Any], Any]], operator: str
) -> None:
    marker = tmp_path / "marker"
    path = saved(tmp_path / "m", make(str(marker)))
    with pytest.raises(IsoformError) as caught:
        admit(identify(path))
    found = described(identify(path))["would_execute"]
    assert operator in found
    assert caught.value.what == (
        f"{path}: its graph or one of its functions has {', '.join(found)}, which may do more than compute."
    )
    assert caught.value.kind == "unsafe-graph"
    assert not marker.exists()


def test_python_called_from_a_graph_is_found(tmp_path: Path) -> None:
    path = saved(tmp_path / "m", lambda x: tf.ensure_shape(tf.py_function(lambda y: y, [x], tf.float32), [None, 3]))
    with pytest.raises(IsoformError, match="EagerPyFunc"):
        admit(identify(path))


def test_an_ordinary_model_is_admitted(tmp_path: Path) -> None:
    path = saved(tmp_path / "m", lambda x: tf.nn.relu(x) * 2)
    admit(identify(path))
    assert described(identify(path))["would_execute"] == []


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras") / "m"
    x = keras.Input((None,), dtype="int32", name="x")
    y = keras.layers.Bidirectional(keras.layers.GRU(2))(keras.layers.Embedding(5, 3)(x))
    keras.Model(x, keras.layers.Dense(2)(keras.layers.Dropout(0.5)(y))).export(str(path), verbose=False)
    return path


@pytest.fixture
def folder(recurrent: Path, tmp_path: Path) -> Path:
    return shutil.copytree(recurrent, tmp_path / "m")


def test_a_network_that_keras_exports_is_admitted(recurrent: Path) -> None:
    admit(identify(recurrent))


@pytest.mark.parametrize("percent", [0, 1, 50, 99])
@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
def test_a_cut_file_is_truncated(folder: Path, pool: Pool, name: str, percent: int) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) * percent // 100])
    with pytest.raises(IsoformError, match="truncated"):
        from_file(FileRequest(folder), pool, folder.parent / "work")


@pytest.mark.parametrize("name", ["variables.index", "variables.data-00000-of-00001"])
def test_variables_that_are_missing_are_said_so(folder: Path, name: str) -> None:
    (folder / "variables" / name).unlink()
    with pytest.raises(IsoformError) as caught:
        admit(identify(folder))
    assert caught.value.what == f"{folder}: its variables are missing: no variables/{name}."


def test_a_signature_that_is_not_there_is_said_with_those_that_are(folder: Path, pool: Pool) -> None:
    with pytest.raises(IsoformError) as caught:
        from_file(FileRequest(folder, signature="encode"), pool, folder.parent / "work")
    assert caught.value.what == f"{folder}: no signature 'encode'."
    assert caught.value.hint == "Signatures there: serve, serving_default."
