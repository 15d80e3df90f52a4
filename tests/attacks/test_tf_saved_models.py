"""SavedModels that reach out of themselves are refused before they are loaded (fault 12)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from isoform.errors import IsoformError
from isoform.intake.container import admit, identify
from isoform.intake.contents import described

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


@pytest.mark.parametrize(
    ("make", "operator"), [(in_main, "WriteFile"), (in_branch, "ReadFile"), (in_data_set, "ReadFile")]
)
def test_files_read_or_written_anywhere_in_the_graph_are_found(
    tmp_path: Path, make: Callable[[str], Callable[[Any], Any]], operator: str
) -> None:
    marker = tmp_path / "marker"
    path = saved(tmp_path / "m", make(str(marker)))
    with pytest.raises(IsoformError) as caught:
        admit(identify(path))
    assert caught.value.what == (f"{path}: reaches out of itself: its graph or one of its functions has {operator}.")
    assert caught.value.kind == "unsafe-graph"
    assert described(identify(path))["would_execute"] == [operator]
    assert not marker.exists()


def test_python_called_from_a_graph_is_found(tmp_path: Path) -> None:
    path = saved(tmp_path / "m", lambda x: tf.ensure_shape(tf.py_function(lambda y: y, [x], tf.float32), [None, 3]))
    with pytest.raises(IsoformError, match="EagerPyFunc"):
        admit(identify(path))


def test_an_ordinary_model_is_admitted(tmp_path: Path) -> None:
    path = saved(tmp_path / "m", lambda x: tf.nn.relu(x) * 2)
    admit(identify(path))
    assert described(identify(path))["would_execute"] == []


def test_an_empty_graph_is_truncated(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(IsoformError, match="truncated: the file is empty"):
        admit(identify(tmp_path))
