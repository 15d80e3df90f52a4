"""Branches, loops and scans stay what they are in TensorFlow, with counts and conditions known at run time only."""

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


def model(text: str, opset: int = 18) -> Any:
    return hub.to_tensorflow(onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : {opset}]>\n{text}'))


POWER = """m (float[n] x, int64 count) => (float[n] y, float[count, n] all) {
    going = Constant<value = bool {1}>()
    y, all = Loop(count, going, x) <body = b (int64 i, bool c, float[n] v) => (bool d, float[n] w, float[n] seen) {
        d = Identity(c)
        w = Mul(v, x)
        seen = Identity(v) }> }"""


def test_a_loop_runs_as_often_as_its_input_says() -> None:
    serve = model(POWER).serve
    for count in (1, 4):
        power, seen = serve(tf.constant([2.0, 3.0]), tf.constant(count, tf.int64))
        np.testing.assert_allclose(power, [2.0 ** (count + 1), 3.0 ** (count + 1)])
        assert seen.shape == (count, 2)


def test_gradients_flow_through_a_loop() -> None:
    x = tf.constant([2.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        power, _ = model(POWER).serve(x, tf.constant(2, tf.int64))
    np.testing.assert_allclose(tape.gradient(power, x), [3 * 4.0, 3 * 9.0])


def test_a_loop_ends_when_its_body_says_so() -> None:
    module = model("""m (int64 limit) => (int64 y) {
        many = Constant<value = int64 {100}>()
        going = Constant<value = bool {1}>()
        zero = Constant<value = int64 {0}>()
        y = Loop(many, going, zero) <body = b (int64 i, bool c, int64 v) => (bool d, int64 w) {
            one = Constant<value = int64 {1}>()
            w = Add(v, one)
            d = Less(w, limit) }> }""")
    assert module.serve(tf.constant(7, tf.int64))[0].numpy() == 7


def test_a_carried_value_may_grow() -> None:
    module = model("""m (float[n] x, int64 count) => (float[m] y) {
        going = Constant<value = bool {1}>()
        y = Loop(count, going, x) <body = b (int64 i, bool c, float[k] v) => (bool d, float[l] w) {
            d = Identity(c)
            w = Concat<axis = 0>(v, x) }> }""")
    assert module.serve(tf.zeros([2]), tf.constant(3, tf.int64))[0].shape == (8,)


def test_branches_may_give_different_shapes() -> None:
    module = model("""m (float[n] x, bool short) => (float[m] y) {
        y = If(short) <then_branch = t () => (float[m] a) {
            at = Constant<value = int64[1] {0}>()
            a = Gather(x, at) }, else_branch = e () => (float[m] b) { b = Concat<axis = 0>(x, x) }> }""")
    assert module.serve(tf.zeros([3]), tf.constant(True))[0].shape == (1,)
    assert module.serve(tf.zeros([3]), tf.constant(False))[0].shape == (6,)


SUMS = """m (float[b, d] start, float[b, n, d] x) => (float[b, d] y, float[b, n, d] z) {
    y, z = Scan%s <num_scan_inputs = 1, body = s (float[d] sum, float[d] next) => (float[d] after, float[d] out) {
        after = Add(sum, next)
        out = Identity(after) }> }"""


def test_the_scan_of_opset_8_runs_over_a_batch() -> None:
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    last, sums = model(SUMS % '("", start, x)', opset=8).serve(tf.zeros([2, 2]), tf.constant(x))
    np.testing.assert_array_equal(sums, np.cumsum(x, 1))
    np.testing.assert_array_equal(last, x.sum(1))


def test_the_scan_of_opset_8_refuses_lengths() -> None:
    text = SUMS.replace("m (", "m (int64[b] lengths, ", 1) % "(lengths, start, x)"
    with pytest.raises(IsoformError) as caught:
        model(text, opset=8)
    assert "of opset 8 is given the lengths of its sequences." in str(caught.value)
