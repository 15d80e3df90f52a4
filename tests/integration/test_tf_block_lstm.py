"""BlockLSTMV2 as ONNX: what TensorFlow's own kernel answers, whichever of its outputs are read, and what is refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import tensorflow as tf

from isoform import hub
from isoform.errors import UnsupportedOperator

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
HIDDEN, WIDTH, LENGTH = 6, 4, 7
ALL = ("i", "cs", "f", "o", "ci", "co", "h")
STATES = ("cs", "h")
"""What TensorFlow's kernel sets to zero behind ``seq_len_max``; there it leaves the others as it found them."""


def weights(seed: int = 0, dtype: Any = np.float32) -> dict[str, tf.Variable]:
    rng = np.random.default_rng(seed)
    shapes = {
        "kernel": (WIDTH, 4 * HIDDEN), "recurrent": (HIDDEN, 4 * HIDDEN), "biases": (2, 4 * HIDDEN),
        "wci": (HIDDEN,), "wcf": (HIDDEN,), "wco": (HIDDEN,), "cs_prev": (HIDDEN,), "h_prev": (HIDDEN,),
    }  # fmt: skip
    return {name: tf.Variable(rng.normal(size=shape).astype(dtype), name=name) for name, shape in shapes.items()}


def kernel(held: dict[str, Any], x: Any, length: Any = None, **settings: Any) -> Any:
    """Return the operator, its states the same for each row of the batch."""
    rows = tf.ones([tf.shape(x)[1], 1], x.dtype)
    given = {name: held[name] for name in ("wci", "wcf", "wco")}
    given |= {name: rows * held[name] for name in ("cs_prev", "h_prev")}
    given |= {"w": tf.concat([held["kernel"], held["recurrent"]], 0), "b": tf.reduce_sum(held["biases"], 0)}
    settings = {"cell_clip": 0.0, "use_peephole": False, **settings}
    return tf.raw_ops.BlockLSTMV2(
        seq_len_max=tf.shape(x, tf.int64)[0] if length is None else length, x=x, **given, **settings
    )


def function(call: Any, dtype: Any = tf.float32, *others: tf.TensorSpec) -> Any:
    return tf.function(call, input_signature=[tf.TensorSpec([None, None, WIDTH], dtype, "x"), *others])


def given(batch: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(batch).normal(size=(LENGTH, batch, WIDTH)).astype(dtype)


def run(graph: ir.Model, folder: Path, *inputs: np.ndarray) -> list[np.ndarray]:
    ir.save(graph, folder / "model.onnx")
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    return session.run(None, dict(zip([each.name for each in session.get_inputs()], inputs, strict=True)))


def operators(graph: ir.Model) -> set[str]:
    return {node.op_type for node in graph.graph}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("has_peephole", [False, True])
def test_hidden_states_and_the_last_cell_are_those_of_an_lstm(batch: int, has_peephole: bool, tmp_path: Path) -> None:
    held = weights()

    def call(x: Any) -> tuple[Any, ...]:
        found = kernel(held, x, use_peephole=has_peephole)
        return found.h, found.cs[-1]

    source = function(call)
    graph = hub.from_function(source)
    assert "LSTM" in operators(graph)
    assert "Scan" not in operators(graph)
    x = given(batch)
    for found, wanted in zip(run(graph, tmp_path, x), source(x), strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_weights_keep_their_names_and_both_biases_stay_apart() -> None:
    held = weights()
    graph = hub.from_function(function(lambda x: kernel(held, x).h))
    arrays = {name: value.const_value.numpy() for name, value in graph.graph.initializers.items() if value.const_value}
    order = (0, 3, 1, 2)  # ONNX has input, output, forget, cell; TensorFlow input, forget, cell, output
    for name in ("kernel", "recurrent", "biases"):
        blocks = np.split(held[name].numpy(), 4, axis=1)
        expected = np.concatenate([blocks[place] for place in order], 1)
        expected = expected.reshape(1, -1) if name == "biases" else expected.T[None]
        np.testing.assert_array_equal(arrays[name], expected, err_msg=name)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("clip", "has_peephole"), [(0.0, False), (0.0, True), (0.25, True), (0.25, False)])
def test_gates_and_cells_of_every_step_are_the_kernels(
    batch: int, clip: float, has_peephole: bool, tmp_path: Path
) -> None:
    held = weights()

    def call(x: Any) -> tuple[Any, ...]:
        found = kernel(held, x, cell_clip=clip, use_peephole=has_peephole)
        return tuple(getattr(found, name) for name in ALL)

    source, x = function(call), given(batch)
    wanted = dict(zip(ALL, source(x), strict=True))
    found = dict(zip(ALL, run(hub.from_function(source), tmp_path, x), strict=True))
    for name in ALL:
        np.testing.assert_allclose(found[name], wanted[name], atol=2e-6, err_msg=name)
    if clip:
        assert np.abs(found["cs"]).max() == pytest.approx(clip), "these inputs reach the limit"


def test_each_weight_of_the_peephole_and_the_forget_gate_tells(tmp_path: Path) -> None:
    held, x = weights(), given(3)
    source = function(lambda x: kernel(held, x, use_peephole=True).h)
    graph = hub.from_function(source)
    whole = run(graph, tmp_path, x)[0]
    for name, place in {"wci": 0, "wcf": 0, "wco": 0, "recurrent": HIDDEN}.items():
        before = held[name].numpy()
        changed = before.copy()
        changed[..., place : place + HIDDEN] += 1
        held[name].assign(changed)
        found = run(hub.from_function(source), tmp_path, x)[0]
        np.testing.assert_allclose(found, source(x), atol=2e-6, err_msg=name)
        assert np.abs(found - whole).max() > 1e-3, name
        held[name].assign(before)


@pytest.mark.parametrize("wanted", [("h",), ALL], ids=["lstm", "scan"])
@pytest.mark.parametrize("batch", [1, 3])
def test_steps_from_a_length_on_are_not_run(wanted: Sequence[str], batch: int, tmp_path: Path) -> None:
    held = weights()

    def call(x: Any, length: Any) -> tuple[Any, ...]:
        found = kernel(held, x, length)
        states = tuple(getattr(found, name) for name in wanted if name in STATES)
        return *states, *(getattr(found, name)[:length] for name in wanted if name not in STATES)

    source = function(call, tf.float32, tf.TensorSpec([], tf.int64, "length"))
    graph = hub.from_function(source)
    x = given(batch)
    for length in (0, 1, 4, LENGTH):
        count = np.int64(length)
        for found, expected in zip(run(graph, tmp_path, x, np.array(count)), source(x, count), strict=True):
            np.testing.assert_allclose(found, expected, atol=2e-6, err_msg=str(length))


def test_the_last_cell_behind_a_shorter_length_is_zero_as_the_kernels(tmp_path: Path) -> None:
    held = weights()

    def call(x: Any) -> tuple[Any, ...]:
        found = kernel(held, x, tf.shape(x, tf.int64)[0] - 2)
        return found.h, found.cs[-1]

    source, x = function(call), given(3)
    hidden, cell = run(hub.from_function(source), tmp_path, x)
    np.testing.assert_allclose(hidden, source(x)[0], atol=2e-6)
    assert not cell.any()
    assert not source(x)[1].numpy().any()


def test_a_length_that_is_declared_counts_as_the_whole(tmp_path: Path) -> None:
    held, x = weights(), given(3)
    spec = [tf.TensorSpec([LENGTH, 3, WIDTH], tf.float32, "x")]
    source = tf.function(lambda x: kernel(held, x, tf.constant(LENGTH, tf.int64)).h, input_signature=spec)
    graph = hub.from_function(source)
    assert operators(graph) <= {"LSTM", "Squeeze", "Unsqueeze", "Mul", "Expand"}
    np.testing.assert_allclose(run(graph, tmp_path, x)[0], source(x), atol=2e-6)


def test_half_precision_comes_in_as_such(tmp_path: Path) -> None:
    held, x = weights(dtype=np.float16), given(3, np.float16)
    source = function(lambda x: kernel(held, x).h, tf.float16)
    found = run(hub.from_function(source), tmp_path, x)[0]
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, source(x), atol=5e-3)


def test_weights_of_sizes_that_are_not_declared_are_refused_by_name() -> None:
    held = weights()

    def call(x: Any, w: Any) -> Any:
        return tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.shape(x, tf.int64)[0], x=x, w=w, b=held["biases"][0], cell_clip=0.0, use_peephole=False,
            cs_prev=held["cs_prev"][None], h_prev=held["h_prev"][None], wci=held["wci"], wcf=held["wcf"],
            wco=held["wco"], name="cell",
        ).h  # fmt: skip

    with pytest.raises(UnsupportedOperator) as refused:
        hub.from_function(function(call, tf.float32, tf.TensorSpec([None, None], tf.float32, "w")))
    assert refused.value.what.startswith("'BlockLSTMV2' of weights whose sizes are not declared (node ")


@pytest.mark.torch
def test_the_steps_can_be_asked_in_float64() -> None:
    from isoform.hub.divergence.values import Evaluation

    held, x = weights(), given(3)
    source = function(lambda x: tuple(getattr(kernel(held, x, cell_clip=0.25), name) for name in ALL))
    graph = hub.from_function(source)
    names = [str(value.name) for value in graph.graph.outputs]
    found = Evaluation(graph, is_float64=True).values({"x": x}, names)
    assert found[names[-1]].dtype == np.float64
    for name, expected in zip(names, source(x), strict=True):
        np.testing.assert_allclose(found[name], expected, atol=2e-6)
