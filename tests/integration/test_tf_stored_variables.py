"""A SavedModel is opened without its values: what a signature reads is read once, all else is as TensorFlow has it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import tensorflow as tf
import tf2onnx

from isoform import hub
from isoform.errors import IsoformError, UnsupportedOperator
from isoform.hub.importers.tensorflow import stored

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
ROWS = tf.TensorSpec([None, 4], tf.float32, "x")


def values(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class Inner(tf.Module):
    def __init__(self, shared: tf.Variable) -> None:
        super().__init__()
        self.same = shared
        self.scales = [tf.Variable(values(1, 1025), name="first"), tf.Variable(values(2, 1025), name="second")]


class Model(tf.Module):
    """One variable under two names, a list of others, a captured tensor, and one that no signature reads."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(values(0, 4, 1025), name="kernel")
        self.inner = Inner(self.kernel)
        self.unused = tf.Variable(values(3, 999, 3), name="unused")
        self.any_size = tf.Variable(values(4, 1, 1025), shape=[None, 1025], name="any_size")
        self.captured = tf.constant(values(5, 1025))

    @tf.function(input_signature=[ROWS])
    def serve(self, x: Any) -> Any:
        y = (x @ self.kernel + self.captured) * self.inner.scales[0] - self.inner.scales[1]
        return {"y": (y + self.any_size) @ tf.transpose(self.inner.same)}


def saved(model: tf.Module, path: Path) -> Path:
    tf.saved_model.save(model, str(path), {"serving_default": model.serve})
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(Model(), tmp_path_factory.mktemp("stored") / "model")


def constants(graph: ir.Model) -> dict[str, np.ndarray]:
    return {name: value.const_value.numpy() for name, value in graph.graph.initializers.items() if value.const_value}


def test_the_values_are_those_of_the_folder_under_their_names(folder: Path) -> None:
    found = constants(hub.from_saved_model(folder))
    np.testing.assert_array_equal(found["kernel"], values(0, 4, 1025))
    np.testing.assert_array_equal(found["first"], values(1, 1025))
    np.testing.assert_array_equal(found["second"], values(2, 1025))
    np.testing.assert_array_equal(found["any_size"].reshape(-1), values(4, 1025))
    assert any(np.array_equal(array.reshape(-1), values(5, 1025)) for array in found.values())


def test_what_no_signature_reads_is_not_read_and_what_one_reads_is_read_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    restore = tf.raw_ops.RestoreV2

    def counting(tensor_names: list[str], **words: Any) -> Any:
        read.extend(tensor_names)
        return restore(tensor_names=tensor_names, **words)

    monkeypatch.setattr(tf.raw_ops, "RestoreV2", counting)
    hub.from_saved_model(folder)
    plain = sorted(name.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE") for name in read if name[0] != "_")
    assert plain == ["any_size", "inner/scales/0", "inner/scales/1", "kernel"]


def test_the_optimiser_makes_no_tensors_in_the_place_of_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []
    optimise = tf2onnx.tf_loader.tf_optimize_grappler

    def watching(inputs: list[str], outputs: list[str], graph: Any) -> Any:
        seen.append({node.name for node in graph.node if node.op == "Placeholder"})
        return optimise(inputs, outputs, graph)

    monkeypatch.setattr(tf2onnx.tf_loader, "tf_optimize_grappler", watching)
    hub.from_saved_model(folder)
    assert seen == [{"isoform_input_0"}]


def test_data_that_are_cut_off_are_refused_though_no_signature_reads_the_end(tmp_path: Path) -> None:
    path = saved(Model(), tmp_path / "model")  # 'unused' is the last of its checkpoint
    (data,) = (path / "variables").glob("variables.data-*")
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(IsoformError, match="truncated or damaged: its variables cannot be read") as refused:
        hub.from_saved_model(path)
    assert refused.value.kind == "damaged"


def test_a_flipped_bit_of_a_value_that_is_read_is_damage(tmp_path: Path) -> None:
    path = saved(Model(), tmp_path / "model")
    (data,) = (path / "variables").glob("variables.data-*")
    content = bytearray(data.read_bytes())
    content[content.index(values(0, 4, 1025).tobytes()) + 100] ^= 1
    data.write_bytes(content)
    with pytest.raises(IsoformError, match="its variables cannot be read") as refused:
        hub.from_saved_model(path)
    assert refused.value.kind == "damaged"


class Setting(tf.saved_model.experimental.TrackableResource):
    """A resource whose initialiser, which runs when the folder is opened, changes a variable."""

    def __init__(self, variable: tf.Variable) -> None:
        super().__init__()
        self.variable = variable

    def _create_resource(self) -> Any:
        return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="setting")

    def _initialize(self) -> None:
        self.variable.assign(tf.fill([4, 2], 7.0))


class WithResource(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(values(0, 4, 2), name="weight")
        self.setting = Setting(self.weight)

    @tf.function(input_signature=[ROWS])
    def serve(self, x: Any) -> Any:
        return {"y": x @ self.weight}


def test_a_folder_that_changes_its_variables_when_opened_is_opened_as_tensorflow_does(tmp_path: Path) -> None:
    path = saved(WithResource(), tmp_path / "model")
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    assert served(x=tf.ones([1, 4]))["y"].numpy().tolist() == [[28.0, 28.0]]
    assert stored.opened(path).stored == {}
    np.testing.assert_array_equal(constants(hub.from_saved_model(path))["weight"], np.full((4, 2), 7.0, np.float32))


class WithTable(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(values(0, 4, 2), name="weight")
        pairs = tf.lookup.KeyValueTensorInitializer(tf.constant([1, 2], tf.int64), tf.constant([3.0, 4.0]))
        self.table = tf.lookup.StaticHashTable(pairs, 0.0)

    @tf.function(input_signature=[ROWS])
    def serve(self, x: Any) -> Any:
        return {"y": self.table.lookup(tf.cast(x, tf.int64)) @ self.weight}


def test_a_lookup_table_of_a_folder_is_refused_by_its_operator(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOperator, match="'LookupTableFindV2'"):
        hub.from_saved_model(saved(WithTable(), tmp_path / "model"))


def test_a_folder_without_variables_is_opened(tmp_path: Path) -> None:
    class Plain(tf.Module):
        @tf.function(input_signature=[ROWS])
        def serve(self, x: Any) -> Any:
            return {"y": tf.tanh(x)}

    assert [node.op_type for node in hub.from_saved_model(saved(Plain(), tmp_path / "model")).graph] == ["Tanh"]
