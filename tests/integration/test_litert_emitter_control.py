"""If, Loop and Scan in TFLite: branches and bodies as sub-graphs, sizes and rounds dynamic, against ONNX Runtime."""

import numpy as np
import pytest

from integration.litert_runner import assert_same, parsed
from isoform.errors import IsoformError
from isoform.hub import graph
from isoform.hub.emitters import tflite

X = np.random.default_rng(6).normal(size=(3, 4)).astype(np.float32)
IF = (
    "(float[n,4] x, bool c) => (float[m,4] y) <float[4] w = {1, 2, 3, 4}> { z = Mul(x, w)  y = If(c)<"
    "then_branch = one () => (float[p,4] a) { a = Add(z, w) },"
    "else_branch = two () => (float[q,4] b) { b = Concat<axis: int = 0>(x, z) }> }"
)
LOOP = (
    "(float[n,4] x, int64 m, float limit) => (float[n,4] y, float[r] sums) <bool go = {1}> {"
    "y, sums = Loop(m, go, x)"
    "<body = turn (int64 i, bool on, float[n,4] before) => (bool on_, float[n,4] after, float s) {"
    "after = Add(before, x)  s = ReduceSum<keepdims: int = 0>(after)  on_ = Less(s, limit) }> }"
)
SCAN = (
    "(float[4] h, float[n,4] x) => (float[4] last, float[n,4] every) {"
    "last, every = Scan<num_scan_inputs: int = 1, scan_input_directions = [1],"
    " body = turn (float[4] before, float[4] now)"
    " => (float[4] after, float[4] out) { s = Add(before, now)  after = Tanh(s)  out = Mul(after, now) }>(h, x) }"
)
CONVOLUTIONS = (
    "(float[n,1,6,5] x, int64 m) => (float[n,1,6,5] y, float[m,n,1,6,5] every) <bool go = {1},"
    " float[1,1,3,3] k = {0.1, -0.2, 0.3, 0.2, 0.5, -0.1, 0.3, 0.2, -0.4}, int64 one = {1}> {"
    "y, every = Loop(m, go, x)"
    "<body = turn (int64 i, bool on, float[a,1,6,5] before) => (bool on_, float[b,1,6,5] after, float[c,1,6,5] out) {"
    " turned = Conv<pads: ints = [1, 1, 1, 1]>(before, k)  kept = Tanh(turned)  c = Less(i, one)  on_ = Identity(on)"
    " after = If(c)<then_branch = first () => (float[d,1,6,5] p) { p = Conv<pads: ints = [1, 1, 1, 1]>(kept, k) },"
    " else_branch = rest () => (float[e,1,6,5] q) { q = MaxPool<kernel_shape: ints = [3, 3], pads: ints = [1, 1, 1, 1]>"
    "(kept) }>  out = Neg(after) }> }"
)


@pytest.mark.parametrize("condition", [True, False])
def test_a_branch_is_chosen_while_the_model_runs(condition: bool) -> None:
    assert_same(parsed(IF), [X, np.array(condition)])


@pytest.mark.parametrize(("rounds", "limit"), [(5, 1e9), (9, 0.0), (1, 1e9)])
def test_a_loop_ends_with_its_count_or_its_condition(rounds: int, limit: float) -> None:
    assert_same(parsed(LOOP), [np.abs(X), np.array(rounds), np.array(limit, np.float32)])


@pytest.mark.parametrize("length", [1, 3, 8])
def test_a_scan_takes_any_length_backwards(length: int) -> None:
    assert_same(parsed(SCAN), [X[0], np.resize(X, (length, 4))])


def test_results_of_an_unknown_number_of_rounds_are_refused() -> None:
    with pytest.raises(IsoformError, match="results of each of an unknown number of rounds"):
        tflite.emit(graph.load(parsed(LOOP.replace("Loop(m, go, x)", "Loop(, go, x)"))))


@pytest.mark.parametrize("batch", [1, 3])
def test_image_operators_stand_in_bodies(batch: int) -> None:
    """A convolutional recurrent layer: the size of what each round puts out is the one before the first round."""
    images = np.random.default_rng(7).normal(size=(batch, 1, 6, 5)).astype(np.float32)
    assert_same(parsed(CONVOLUTIONS), [images, np.array(3)], tolerance=1e-5)


@pytest.mark.parametrize("dtype", ["bool", "int8", "float"])
def test_a_mask_is_reversed(dtype: str) -> None:
    text = "(float[n,5] x, int64[n] k) => (float[n,5] y) { y = ReverseSequence<batch_axis = 0, time_axis = 1>(x, k) }"
    flags = np.random.default_rng(8).integers(0, 2, (3, 5)).astype({"float": "float32"}.get(dtype, dtype))
    assert_same(parsed(text.replace("float", dtype)), [flags, np.array([2, 5, 1])])
