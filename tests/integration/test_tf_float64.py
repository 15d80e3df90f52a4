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
