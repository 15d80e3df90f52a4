"""What ONNX' own cases leave out of TensorFlow's operators: values known at run time only, halves, ties, emptiness."""

from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf

from isoform import hub
from isoform.errors import IsoformError

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]


def run(text: str, *inputs: Any, opset: int = 18) -> Any:
    proto = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : {opset}, "ai.onnx.ml" : 4]>\nm {text}')
    results = hub.to_tensorflow(proto).serve(*map(tf.constant, inputs))
    return results[0].numpy() if len(results) == 1 else [result.numpy() for result in results]


def test_axes_may_be_computed_as_long_as_their_number_is_known() -> None:
    text = "(float[a, 1, 1, b] x, int64[1] axes) => (float[c, d, e] y) { y = Squeeze(x, axes) }"
    x = np.zeros([2, 1, 1, 3], np.float32)
    assert run(text, x, np.array([-2])).shape == (2, 1, 3)
    with pytest.raises(IsoformError) as caught:
        run(text.replace("int64[1]", "int64[n]"), x, np.array([1]))
    assert "computes its number of axes from the model's inputs." in str(caught.value)


def test_a_slice_takes_its_axes_and_steps_from_inputs() -> None:
    text = """(float[a, b] x, int64[1] s, int64[1] e, int64[1] axes, int64[1] by) => (float[c, d] y) {
        y = Slice(x, s, e, axes, by) }"""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    found = run(text, x, np.array([-1]), np.array([-100]), np.array([1]), np.array([-2]))
    np.testing.assert_array_equal(found, x[:, ::-2])


def test_a_product_of_halves_is_rounded_once() -> None:
    generator = np.random.default_rng(0)
    a, b = (generator.standard_normal(shape).astype(np.float16) for shape in ((4, 512), (512, 8)))
    found = run("(float16[n, 512] a, float16[512, 8] b) => (float16[n, 8] y) { y = MatMul(a, b) }", a, b)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    np.testing.assert_allclose(found.astype(np.float64), exact, rtol=2**-11, atol=1e-4)


def test_non_max_suppression_of_no_boxes_gives_no_rows() -> None:
    text = """(float[n, b, 4] boxes, float[n, c, b] scores, int64 most) => (int64[k, 3] y) {
        y = NonMaxSuppression(boxes, scores, most) }"""
    assert run(text, np.zeros([2, 0, 4], np.float32), np.zeros([2, 3, 0], np.float32), np.int64(5)).shape == (0, 3)
    assert run(text, np.zeros([0, 1, 4], np.float32), np.zeros([0, 3, 1], np.float32), np.int64(5)).shape == (0, 3)


def test_regions_of_different_sizes_are_averaged_over_their_own_readings() -> None:
    image = np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8)  # rises by 1 a column and 8 a row: a mean is its middle
    regions = np.array([[0, 0, 2, 2], [1, 1, 7, 5]], np.float32)
    text = """(float[1, 1, 8, 8] x, float[r, 4] regions, int64[r] batch) => (float[r, 1, 1, 1] y) {
        y = RoiAlign<sampling_ratio = 0>(x, regions, batch) }"""
    found = run(text, image, regions, np.zeros(2, np.int64))
    np.testing.assert_allclose(found.ravel(), [0.5 + 8 * 0.5, 3.5 + 8 * 2.5])


def test_a_maximum_that_two_windows_share_is_put_back_once() -> None:
    text = "(float[1, 1, 2] x, int64[1, 1, 2] at) => (float[1, 1, 3] y) { y = MaxUnpool<kernel_shape = [2]>(x, at) }"
    found = run(text, np.array([[[5, 5]]], np.float32), np.array([[[1, 1]]]))
    np.testing.assert_array_equal(found, [[[0, 5, 0]]])


def test_a_label_encoder_knows_nan_and_gives_its_default_for_the_rest() -> None:
    text = """(float[n] x) => (int64[n] y) {
        y = ai.onnx.ml.LabelEncoder<keys_floats = [nan, 1.0], values_int64s = [7, 8], default_int64 = -5>(x) }"""
    np.testing.assert_array_equal(run(text, np.array([1, np.nan, 3], np.float32)), [8, 7, -5])


def test_an_inverse_transform_gives_back_the_signal() -> None:
    signal = np.random.default_rng(0).standard_normal((2, 10, 1)).astype(np.float32)
    text = """(float[n, 10, 1] x) => (float[n, 10, 1] y) { f = DFT<onesided = 1>(x)
        y = DFT<inverse = 1, onesided = 1>(f) }"""
    np.testing.assert_allclose(run(text, signal, opset=20), signal, atol=1e-5)


def test_quantised_convolutions_sum_exactly() -> None:
    x = np.full([1, 700, 3, 3], 255, np.uint8)
    weight = np.full([1, 700, 3, 3], 255, np.uint8)
    text = "(uint8[1, 700, 3, 3] x, uint8[1, 700, 3, 3] w) => (int32[1, 1, 1, 1] y) { y = ConvInteger(x, w) }"
    assert run(text, x, weight).item() == 700 * 9 * 255 * 255


def test_dropout_of_a_model_for_inference_draws_no_numbers() -> None:
    proto = onnx.parser.parse_model("""<ir_version: 9, opset_import: ["" : 18]> m (float[n] x) => (float[n] y) {
        ratio = Constant<value = float {0.5}>()
        training = Constant<value = bool {0}>()
        y = Dropout(x, ratio, training) }""")
    serve = hub.to_tensorflow(proto).serve
    np.testing.assert_array_equal(serve(tf.ones([4]))[0], np.ones(4))
    assert not [each for each in serve.get_concrete_function().graph.get_operations() if "Random" in each.type]


def test_a_dtype_without_kernels_is_refused_by_name() -> None:
    with pytest.raises(IsoformError) as caught:
        run("(float[n] x) => (int2[n] y) { y = Cast<to = 26>(x) }", np.ones(3, np.float32), opset=25)
    assert "of int2, for which TensorFlow has no kernels." in str(caught.value)


def test_a_float8_saturates_unless_it_is_told_not_to() -> None:
    x = np.array([1.0, 1e6, -np.inf, np.nan], np.float32)
    text = "(float[n] x) => (float[n] y) {{ z = Cast<to = 17, saturate = {}>(x)\n y = Cast<to = 1>(z) }}"
    np.testing.assert_array_equal(run(text.format(1), x, opset=19), [1, 448, -448, np.nan])
    np.testing.assert_array_equal(run(text.format(0), x, opset=19), [1, np.nan, np.nan, np.nan])


@pytest.mark.parametrize("strides", [1, 2])
def test_padding_that_follows_an_image_of_any_size(strides: int) -> None:
    x = np.random.default_rng(1).standard_normal((2, 3, 7, 10)).astype(np.float32)
    text = f"""(float[n, 3, h, w] x, float[4, 3, 2, 3] k) => (float[n, 4, i, j] y) {{
        y = Conv<auto_pad = "SAME_UPPER", strides = [{strides}, {strides}]>(x, k) }}"""
    k = np.random.default_rng(2).standard_normal((4, 3, 2, 3)).astype(np.float32)
    wanted = tf.nn.conv2d(x.transpose(0, 2, 3, 1), k.transpose(2, 3, 1, 0), strides, "SAME").numpy()
    np.testing.assert_allclose(run(text, x, k), wanted.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-5)
