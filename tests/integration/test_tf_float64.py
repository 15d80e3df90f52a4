"""SavedModels in float64: what TensorFlow's kernels answer when every float32 of the graph is widened."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from isoform.core.artifact import Artifact
from isoform.core.protocols import RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import savedmodel
from isoform.runtimes import tf as runtime

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("ignore")]
ROUNDED_CONSTANTS = 1e-7
"""The graph's own constants are float32; those of a network built in float64 are not."""
LAYERS = keras.layers


def image(x: Any) -> Any:
    x = LAYERS.DepthwiseConv2D(3)(LAYERS.Conv2D(4, 3, activation="gelu")(x))
    x = LAYERS.LayerNormalization()(LAYERS.BatchNormalization()(x))
    return LAYERS.Dense(4)(LAYERS.GlobalAveragePooling2D()(x))


def text(x: Any) -> Any:
    x = LAYERS.Bidirectional(LAYERS.LSTM(4, return_sequences=True))(LAYERS.Embedding(9, 4)(x))
    return LAYERS.Dense(4, activation="softmax")(LAYERS.GRU(4)(x))


NETWORKS: dict[str, tuple[tuple[int | None, ...], str, Callable[[Any], Any]]] = {
    "image": ((8, 8, 3), "float32", image), "text": ((None,), "int32", text),
}  # fmt: skip


def built(name: str, dtype: str) -> keras.Model:
    shape, given, body = NETWORKS[name]
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(dtype)
    try:
        x = keras.Input(shape, dtype=given if given == "int32" else dtype, name="x")
        return keras.Model(x, body(x))
    finally:
        keras.config.set_dtype_policy("float32")


def saved(call: Callable[..., Any], weights: dict[str, Any], spec: TensorSpec, folder: Path) -> Artifact:
    signature = Signature((spec,), (TensorSpec("y", "float32", ("batch", 4)),))
    savedmodel.save(call, weights, signature, folder, None)
    return Artifact("savedmodel", folder, signature)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_folder_answers_as_the_network_built_in_float64_does(name: str, tmp_path: Path) -> None:
    shape, dtype, _ = NETWORKS[name]
    model, exact = built(name, "float32"), built(name, "float64")
    exact.set_weights(model.get_weights())
    dims = ("batch", *(size or "length" for size in shape))
    weights = {variable.path: variable.value for variable in model.weights}
    artifact = saved(lambda x: [model(x, training=False)], weights, TensorSpec("x", dtype, dims), tmp_path / "m")
    rng, sizes = np.random.default_rng(0), (3, *(size or 5 for size in shape))
    x = rng.integers(0, 9, sizes).astype(np.int32) if dtype == "int32" else rng.normal(size=sizes)
    found = runtime.load(artifact, RunOptions(is_float64=True)).run({"x": x})["y"]
    expected = exact(x, training=False).numpy()
    assert found.dtype == np.float64
    error = np.abs(found - expected).max()
    assert error < ROUNDED_CONSTANTS * np.abs(expected).max()
    if dtype != "int32":
        return
    assert error < 1e-15, "no constant of this network is rounded"


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_fused_batch_normalisation_is_written_out(layout: str, tmp_path: Path) -> None:
    scale, offset, mean, variance = (
        tf.Variable(np.linspace(low, 1, 4).astype(np.float32)) for low in (0.5, -1, 0, 0.1)
    )

    def call(x: Any) -> list[Any]:
        return [tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=mean, variance=variance, epsilon=0.125, data_format=layout,
            is_training=False).y]  # fmt: skip

    weights = {"scale": scale, "offset": offset, "mean": mean, "variance": variance}
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 4))
    artifact = saved(call, weights, TensorSpec("x", "float32", ("batch", 4, 4, 4)), tmp_path / "m")
    found = runtime.load(artifact, RunOptions(is_float64=True)).run({"x": x})["y"]
    a, b, m, v = (variable.numpy().astype(np.float64) for variable in (scale, offset, mean, variance))
    rows = np.moveaxis(x, 1, -1) if layout == "NCHW" else x
    expected = (rows - m) / np.sqrt(v + 0.125) * a + b
    np.testing.assert_allclose(found, np.moveaxis(expected, -1, 1) if layout == "NCHW" else expected, rtol=1e-13)


def test_an_operator_of_float32_alone_is_named(tmp_path: Path) -> None:
    def call(x: Any) -> list[Any]:
        return [tf.raw_ops.LRN(input=x)]

    artifact = saved(call, {}, TensorSpec("x", "float32", ("batch", 4, 4, 4)), tmp_path / "m")
    with pytest.raises(IsoformError, match=r"^TensorFlow has no float64 form of 'LRN'$"):
        runtime.load(artifact, RunOptions(is_float64=True))


def lstm(x: Any, cell: Any, hidden: Any, weights: dict[str, Any], clip: float) -> np.ndarray:
    """Return the seven results of BlockLSTMV2 in NumPy, joined: gates lie in the order input, forget, cell, output."""

    def sigmoid(value: Any) -> Any:
        return 1 / (1 + np.exp(-value))

    steps = []
    for row in x:
        i, f, ci, o = np.split(np.concatenate([row, hidden], 1) @ weights["w"] + weights["b"], 4, 1)
        i, f = sigmoid(i + cell * weights["wci"]), sigmoid(f + cell * weights["wcf"])
        cell = np.tanh(ci) * i + cell * f
        cell = np.clip(cell, -clip, clip) if clip else cell
        o = sigmoid(o + cell * weights["wco"])
        hidden = np.tanh(cell) * o
        steps.append(np.concatenate([i, cell, f, o, np.tanh(ci), np.tanh(cell), hidden], 1))
    return np.stack(steps)


@pytest.mark.parametrize(("clip", "has_peephole", "skipped"), [(0.0, False, 0), (0.25, True, 0), (0.0, True, 2)])
def test_an_lstm_of_one_kernel_is_written_out_step_by_step(
    clip: float, has_peephole: bool, skipped: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    shapes = {"cs_prev": (3, 6), "h_prev": (3, 6), "w": (10, 24), "wci": (6,), "wcf": (6,), "wco": (6,), "b": (24,)}
    values = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    values |= {name: values[name] * has_peephole for name in ("wci", "wcf", "wco")}
    variables = {name: tf.Variable(value) for name, value in values.items()}

    def call(x: Any) -> list[Any]:
        length = tf.shape(x, tf.int64)[0] - skipped
        return [tf.concat(
            tf.raw_ops.BlockLSTMV2(
                seq_len_max=length, x=x, cell_clip=clip, use_peephole=has_peephole, **variables
            ), 2
        )]  # fmt: skip

    signature = Signature((TensorSpec("x", "float32", ("time", 3, 4)),), (TensorSpec("y", "float32", ("time", 3, 42)),))
    savedmodel.save(call, variables, signature, tmp_path / "m", None)
    artifact = Artifact("savedmodel", tmp_path / "m", signature)
    x = rng.normal(size=(7, 3, 4)).astype(np.float32)
    single, double = (
        runtime.load(artifact, RunOptions(is_float64=is_wide)).run({"x": x.astype(dtype)})["y"]
        for is_wide, dtype in ((False, np.float32), (True, np.float64))
    )
    assert double.dtype == np.float64
    run = 7 - skipped
    np.testing.assert_allclose(double[:run], single[:run], atol=2e-6)  # what is behind, its kernel leaves as it was
    wide = {name: value.astype(np.float64) for name, value in values.items()}
    expected = lstm(x[:run].astype(np.float64), wide["cs_prev"], wide["h_prev"], wide, clip)
    np.testing.assert_allclose(double[:run], expected, rtol=1e-12, atol=1e-14)
    assert not double[run:].any()
