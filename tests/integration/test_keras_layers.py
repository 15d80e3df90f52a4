"""Keras layers as the hub graph: in ONNX Runtime the same numbers as in Keras, at sizes other than the traced."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from keras import layers, ops

from isoform import hub
from isoform.hub import keras_source

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

SERIES, IMAGE, VOLUME, VECTOR, TOKENS = (None, 5), (8, 9, 4), (6, 7, 8, 2), (6,), (None,)
ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu",
    "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax",
    "softplus", "softsign", "sparse_plus", "sparsemax", "squareplus", "tanh", "tanh_shrink",
)  # fmt: skip


def one(shape: tuple, *stack: Callable, dtype: str = "float32") -> keras.Model:
    x = keras.Input(shape, name="x", dtype=dtype)
    y = x
    for layer in stack:
        y = layer(y)
    return keras.Model(x, y)


def masked(layer: keras.Layer) -> keras.Model:
    return one(TOKENS, layers.Embedding(20, 5, mask_zero=True), layer, dtype="int32")


def attention() -> keras.Model:
    x, y = keras.Input(SERIES, name="x"), keras.Input((7, 5), name="y")
    return keras.Model([x, y], layers.MultiHeadAttention(2, 3, value_dim=4)(x, y, use_causal_mask=False))


def causal_attention() -> keras.Model:
    x = keras.Input(SERIES, name="x")
    return keras.Model(x, layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True))


def shared() -> keras.Model:
    a, b = keras.Input(VECTOR, name="a"), keras.Input(VECTOR, name="b")
    dense = layers.Dense(4, activation="tanh")
    return keras.Model({"a": a, "b": b}, {"sum": dense(a) + dense(b), "first": dense(a)})


def nested() -> keras.Model:
    a, b, c = (keras.Input(VECTOR, name=name) for name in "abc")
    return keras.Model([a, {"p": b, "q": c}], [a * b, (b + c, c - a)])


def with_state() -> keras.Model:
    x, h, c = keras.Input(SERIES, name="x"), keras.Input((4,), name="h"), keras.Input((4,), name="c")
    return keras.Model([x, h, c], layers.LSTM(4, return_state=True, return_sequences=True)(x, initial_state=[h, c]))


def within() -> keras.Model:
    inner = one(VECTOR, layers.Dense(5, activation="relu"), layers.BatchNormalization())
    return one(VECTOR, inner, layers.Dense(2), inner.layers[1].__class__(3))


class Residual(keras.Model):
    """A network of its own class."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.norm = layers.Dense(6), layers.Dense(6), layers.LayerNormalization()

    def call(self, x, training=None):
        return self.norm(x + self.second(ops.gelu(self.first(x))))


ZOO: dict[str, Callable[[], keras.Model]] = {
    "lstm": lambda: one(SERIES, layers.LSTM(4)),
    "lstm_stack": lambda: one(SERIES, layers.LSTM(4, return_sequences=True), layers.LSTM(3, go_backwards=True)),
    "lstm_with_state": with_state,
    "gru": lambda: one(SERIES, layers.GRU(4)),
    "gru_reset_before": lambda: one(SERIES, layers.GRU(4, reset_after=False, return_sequences=True)),
    "gru_without_bias": lambda: one(SERIES, layers.GRU(5, use_bias=False, activation="relu")),
    "gru_both_ways": lambda: one(SERIES, layers.Bidirectional(layers.GRU(4, return_sequences=True))),
    "simple_rnn": lambda: one(SERIES, layers.SimpleRNN(4, return_sequences=True), layers.SimpleRNN(3)),
    "bidirectional_sum": lambda: one(SERIES, layers.Bidirectional(layers.LSTM(4), merge_mode="sum")),
    "masked_lstm": lambda: masked(layers.LSTM(4)),
    "masked_gru": lambda: masked(layers.GRU(4, return_sequences=True)),
    "time_distributed": lambda: one((None, 8, 9, 4), layers.TimeDistributed(layers.Conv2D(3, 3))),
    "time_distributed_fixed": lambda: one((5, 6), layers.TimeDistributed(layers.Dense(3)), layers.Dropout(0.5)),
    "attention": attention,
    "causal_attention": causal_attention,
    "additive_attention": lambda: one(SERIES, lambda x: layers.AdditiveAttention()([x, x])),
    "grouped_attention": lambda: one(SERIES, lambda x: layers.GroupQueryAttention(3, 4, 2)(x, x)),
    "layer_normalization": lambda: one(SERIES, layers.LayerNormalization()),
    "rms_normalization": lambda: one(SERIES, layers.RMSNormalization()),
    "unit_normalization": lambda: one(SERIES, layers.UnitNormalization()),
    "group_normalization": lambda: one(IMAGE, layers.GroupNormalization(2)),
    "batch_normalization": lambda: one(IMAGE, layers.Conv2D(4, 3), layers.BatchNormalization(axis=3), layers.ReLU()),
    "batch_normalization_1d": lambda: one(SERIES, layers.Conv1D(4, 3), layers.BatchNormalization(scale=False)),
    "spectral": lambda: one(VECTOR, layers.SpectralNormalization(layers.Dense(4))),
    "conv_1d_causal": lambda: one(SERIES, layers.Conv1D(4, 3, padding="causal", dilation_rate=2)),
    "conv_1d_strided": lambda: one(SERIES, layers.Conv1D(4, 3, padding="same", strides=2)),
    "conv_2d_grouped": lambda: one(IMAGE, layers.Conv2D(6, 3, groups=2, padding="same")),
    "conv_2d_dilated": lambda: one(IMAGE, layers.Conv2D(6, 3, dilation_rate=2, padding="same")),
    "conv_3d": lambda: one(VOLUME, layers.Conv3D(3, 3, strides=2, padding="same"), layers.MaxPooling3D(2)),
    "conv_1d_transpose": lambda: one((7, 5), layers.Conv1DTranspose(4, 3, strides=2, padding="same")),
    "conv_2d_transpose": lambda: one(IMAGE, layers.Conv2DTranspose(3, 3, strides=2, padding="same")),
    "conv_2d_transpose_valid": lambda: one(IMAGE, layers.Conv2DTranspose(3, 4, strides=2)),
    "conv_2d_transpose_open": lambda: one((None, None, 4), layers.Conv2DTranspose(3, 3, strides=2, padding="same")),
    "conv_3d_transpose": lambda: one(VOLUME, layers.Conv3DTranspose(3, 3, strides=2, padding="same")),
    "depthwise": lambda: one(IMAGE, layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")),
    "depthwise_1d": lambda: one(SERIES, layers.DepthwiseConv1D(3)),
    "separable": lambda: one(IMAGE, layers.SeparableConv2D(5, 3, strides=2)),
    "separable_1d": lambda: one(SERIES, layers.SeparableConv1D(5, 3)),
    "pooling": lambda: one(IMAGE, layers.AveragePooling2D(2, padding="same"), layers.GlobalMaxPooling2D(keepdims=True)),
    "pooling_1d": lambda: one(SERIES, layers.MaxPooling1D(2), layers.GlobalAveragePooling1D()),
    "adaptive_pooling": lambda: one(IMAGE, layers.AdaptiveAveragePooling2D((4, 3))),
    "upsampling": lambda: one(IMAGE, layers.UpSampling2D((2, 3)), layers.Conv2D(2, 1)),
    "upsampling_bilinear": lambda: one(IMAGE, layers.UpSampling2D(2, interpolation="bilinear")),
    "upsampling_bicubic": lambda: one(IMAGE, layers.UpSampling2D(2, interpolation="bicubic")),
    "upsampling_1d": lambda: one(SERIES, layers.UpSampling1D(2)),
    "upsampling_3d": lambda: one(VOLUME, layers.UpSampling3D(2)),
    "upsampling_open": lambda: one((None, None, 3), layers.UpSampling2D(2)),
    "resizing": lambda: one(IMAGE, layers.Resizing(5, 7)),
    "resizing_by_a_quotient": lambda: one((24, 24, 2), layers.Resizing(20, 20), layers.Conv2D(2, 3, 2, "same")),
    "resizing_nearest": lambda: one(IMAGE, layers.Resizing(11, 6, interpolation="nearest")),
    "resizing_cropped": lambda: one(IMAGE, layers.Resizing(5, 5, crop_to_aspect_ratio=True)),
    "center_crop": lambda: one(IMAGE, layers.CenterCrop(4, 5)),
    "zero_padding": lambda: one(IMAGE, layers.ZeroPadding2D(((1, 2), (0, 3))), layers.Cropping2D(((0, 1), (2, 0)))),
    "zero_padding_1d": lambda: one(SERIES, layers.ZeroPadding1D(2), layers.Cropping1D(1)),
    "embedding": lambda: one(TOKENS, layers.Embedding(20, 4), dtype="int64"),
    "normalization": lambda: one(SERIES, layers.Normalization(mean=np.arange(5.0), variance=np.arange(1.0, 6.0))),
    "rescaling": lambda: one(IMAGE, layers.Rescaling(1 / 127.5, -1.0)),
    "rescaling_integers": lambda: one(IMAGE, layers.Rescaling(1 / 255), dtype="uint8"),
    "category_one_hot": lambda: one((3,), layers.CategoryEncoding(20, output_mode="one_hot"), dtype="int32"),
    "category_multi_hot": lambda: one((3,), layers.CategoryEncoding(20, output_mode="multi_hot"), dtype="int32"),
    "category_count": lambda: one((3,), layers.CategoryEncoding(20, output_mode="count"), dtype="int32"),
    "discretization": lambda: one(VECTOR, layers.Discretization([-0.5, 0.0, 0.7])),
    "einsum_dense": lambda: one(SERIES, layers.EinsumDense("abc,cde->abde", (None, 3, 2), bias_axes="de")),
    "dense_of_series": lambda: one(SERIES, layers.Dense(4, activation="gelu")),
    "gelu_by_tanh": lambda: one(VECTOR, lambda x: keras.activations.gelu(x, approximate=True)),
    "prelu": lambda: one(IMAGE, layers.PReLU(shared_axes=(1, 2))),
    "reshape_permute": lambda: one(IMAGE, layers.Reshape((-1, 4)), layers.Permute((2, 1)), layers.Flatten()),
    "repeat": lambda: one(VECTOR, layers.RepeatVector(3)),
    "merges": lambda: one(VECTOR, lambda x: layers.Add()([layers.Multiply()([x, x]), layers.Maximum()([x, x])])),
    "dot": lambda: one(SERIES, lambda x: layers.Dot((2, 2), normalize=True)([x, x])),
    "shared": shared,
    "nested": nested,
    "within": within,
    "convolutional_lstm": lambda: one((None, 6, 6, 2), layers.ConvLSTM2D(3, 3, padding="same")),
    "erf_inverse": lambda: one(VECTOR, lambda x: ops.erfinv(ops.tanh(x) * 0.9)),
    "sorting": lambda: one(VECTOR, lambda x: ops.sort(x, axis=-1) + ops.cast(ops.argsort(x, axis=-1), "float32")),
    "top_k": lambda: one(VECTOR, lambda x: list(ops.top_k(x, 3))),
    "cumulative": lambda: one(SERIES, lambda x: ops.cumsum(x, axis=1) + ops.cumprod(x, axis=1)),
    "roll": lambda: one(SERIES, lambda x: ops.roll(x, 2, axis=1)),
    "triangle": lambda: one((4, 5), lambda x: ops.tril(x) + ops.triu(x, 1)),
    "rounding": lambda: one(VECTOR, lambda x: ops.round(x * 3) + ops.floor(x) - ops.ceil(x)),
    "choice": lambda: one(VECTOR, lambda x: ops.where(x > 0, x, ops.exp(x)) + ops.clip(x, -0.2, 0.3)),
    "powers": lambda: one(VECTOR, lambda x: ops.log1p(x * x) + ops.expm1(x) + ops.rsqrt(x * x + 1) + ops.square(x)),
    "trigonometry": lambda: one(VECTOR, lambda x: ops.sin(x) * ops.arctan2(x, x + 2) + ops.arcsinh(x)),
    "einsum": lambda: one(SERIES, lambda x: ops.einsum("bij,bkj->bik", x, x)),
    "logsumexp": lambda: one(SERIES, lambda x: ops.logsumexp(x, axis=-1) + ops.var(x, axis=-1) + ops.std(x, axis=-1)),
    "digits": lambda: one(VECTOR, lambda x: ops.searchsorted(ops.convert_to_tensor([-1.0, 0.0, 1.0]), x[0])),
    **{f"activation_{name}": lambda name=name: one(VECTOR, layers.Activation(name)) for name in ACTIVATIONS},
}  # fmt: skip


def shaken(model: keras.Model) -> keras.Model:
    """Return ``model`` with no constant parameters: zeros and ones hide faults."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        value = variable.numpy()
        if value.size > 1 and (value == value.flat[0]).all():
            variable.assign(rng.uniform(0.5, 1.5, value.shape))
    return model


def drawn(model: keras.Model, batch: int, length: int) -> list[np.ndarray]:
    rng = np.random.default_rng(batch)
    found = []
    for tensor in model.inputs:
        shape = [batch if axis == 0 else size or length for axis, size in enumerate(tensor.shape)]
        is_integer = "int" in tensor.dtype
        found.append((rng.integers(0, 20, shape) if is_integer else rng.standard_normal(shape)).astype(tensor.dtype))
    return found


def session(graph: ir.Model, folder: Path) -> onnxruntime.InferenceSession:
    ir.save(graph, folder / "model.onnx")
    return onnxruntime.InferenceSession(str(folder / "model.onnx"))


@pytest.mark.parametrize("name", ZOO)
def test_a_layer_computes_the_same_in_onnx_runtime(name: str, tmp_path: Path) -> None:
    model = shaken(ZOO[name]())
    runtime = session(hub.from_keras(model), tmp_path)
    assert [value.name for value in runtime.get_inputs()] == [tensor.name for tensor in model.inputs]
    for batch, length in ((2, 6), (3, 9)):
        given = drawn(model, batch, length)
        wanted = keras.tree.flatten(model(keras.tree.pack_sequence_as(model._inputs_struct, given), training=False))
        found = runtime.run(None, {tensor.name: array for tensor, array in zip(model.inputs, given, strict=True)})
        for ours, theirs in zip(found, wanted, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["gru", "gru_reset_before", "gru_without_bias", "gru_both_ways", "lstm", "simple_rnn"])
def test_a_recurrent_layer_is_an_operator(name: str) -> None:
    operators = {node.op_type for node in hub.from_keras(ZOO[name]()).graph}
    assert operators & {"LSTM", "GRU", "RNN"}
    assert "Loop" not in operators


def test_axes_are_named_and_weights_bear_the_paths_of_keras() -> None:
    graph = hub.from_keras(one(SERIES, layers.Dense(3, name="layer"), layers.LSTM(2, return_sequences=True))).graph
    assert [str(value.shape) for value in (*graph.inputs, *graph.outputs)] == ["[batch,length,5]", "[batch,length,2]"]
    assert {"layer/kernel", "layer/bias"} <= set(graph.initializers)


def test_a_sequential_network_gives_one_output_under_its_last_layer() -> None:
    model = keras.Sequential([keras.Input((4,), name="x"), layers.Dense(2, name="scores")])
    assert [value.name for value in hub.from_keras(model).graph.outputs] == ["scores"]


def test_a_network_of_its_own_class_is_called_with_declared_inputs(tmp_path: Path) -> None:
    model = Residual()
    x = np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)
    wanted = model(x).numpy()
    graph = hub.from_keras(model, inputs=["x:float32[batch,6]"])
    (found,) = session(graph, tmp_path).run(None, {"x": x})
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_network_of_its_own_class_may_count_its_steps(tmp_path: Path) -> None:
    class Numbered(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.table = layers.Embedding(20, 4)

        def call(self, ids):
            return self.table(ids) + ops.cast(ops.arange(ops.shape(ids)[1]), "float32")[:, None]

    model, ids = Numbered(), np.arange(6, dtype=np.int32).reshape(2, 3)
    wanted = model(ids).numpy()
    graph = hub.from_keras(model, inputs=["ids:int32[batch,length]:0..19"])
    np.testing.assert_array_equal(session(graph, tmp_path).run(None, {"ids": ids})[0], wanted)


def test_the_states_that_a_layer_returns_are_named_by_its_name_and_a_number() -> None:
    x = keras.Input(SERIES, name="x")
    outputs = layers.LSTM(4, return_state=True, name="cell")(x)
    model = keras.Model(x, [*outputs, layers.Dense(2, name="cell_1")(outputs[0])])
    assert keras_source.output_names(model) == ["cell", "cell_2", "cell_3", "cell_1"]


def test_what_a_policy_of_mixed_precision_rounds_is_a_weight_in_full(tmp_path: Path) -> None:
    half = {"dtype": "mixed_float16"}
    model = one((9, 8, 3), layers.Conv2D(4, 3, **half), layers.Flatten(), layers.Dense(2, dtype="float32"))
    graph = hub.from_keras(model)
    held = [
        value.const_value.numpy() for value in graph.graph.initializers.values() if value.dtype == ir.DataType.FLOAT
    ]
    for kernel in (model.layers[1].kernel.numpy(), model.layers[3].kernel.numpy()):
        assert any(sorted(kernel.reshape(-1)) == sorted(array.reshape(-1)) for array in held)
    x = np.random.default_rng(0).standard_normal((3, 9, 8, 3)).astype(np.float32)
    (found,) = session(graph, tmp_path).run(None, {"x": x})
    np.testing.assert_allclose(found, model(x).numpy(), rtol=2**-8, atol=2**-8)
