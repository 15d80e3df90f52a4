"""Sequences and optionals in TensorFlow: positions at run time, elements of any shape, SavedModels that carry them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf

from isoform import hub
from isoform.hub.emitters.tf_ops.interface import pack, unpack

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]
ROWS = [np.array([1, 2, 3], np.float32), np.array([4], np.float32), np.zeros(0, np.float32)]


def model(text: str) -> Any:
    return hub.to_tensorflow(onnx.parser.parse_model('<ir_version: 9, opset_import: ["" : 18]>\n' + text))


def served(module: Any, *inputs: Any) -> list[Any]:
    return [unpack(*each) if isinstance(each, tuple) else each.numpy() for each in module.serve(*inputs)]


def equal(found: list[Any], wanted: list[Any]) -> bool:
    return len(found) == len(wanted) and all(map(np.array_equal, found, wanted))


def test_an_element_can_be_inserted_at_a_position_known_at_run_time() -> None:
    module = model("m (seq(float[n]) s, float[k] x, int64 at) => (seq(float[m]) y) { y = SequenceInsert(s, x, at) }")
    new = np.array([7, 8], np.float32)
    for position, wanted in ((0, [new, *ROWS]), (2, [*ROWS[:2], new, ROWS[2]]), (-1, [*ROWS[:2], new, ROWS[2]])):
        assert equal(served(module, pack(ROWS, np.float32, 1), new, np.int64(position))[0], wanted)


def test_an_element_can_be_erased_and_the_rest_keeps_its_order() -> None:
    module = model(
        "m (seq(float[n]) s, int64 at) => (seq(float[m]) y, int64 n) { y = SequenceErase(s, at)\n"
        "n = SequenceLength(y) }"
    )
    rest, count = served(module, pack(ROWS, np.float32, 1), np.int64(-3))
    assert equal(rest, ROWS[1:])
    assert count == 2


def test_an_empty_element_keeps_its_other_sizes() -> None:
    module = model("m (seq(float[n, 3]) s) => (seq(float[n, 3]) y) { y = Identity(s) }")
    hollow = np.zeros([0, 3], np.float32)
    assert served(module, pack([hollow], np.float32, 2))[0][0].shape == (0, 3)


def test_a_sequence_without_elements_goes_in_and_out() -> None:
    module = model("m (seq(float[n]) s) => (seq(float[n]) y, int64 n) { y = Identity(s)\n n = SequenceLength(s) }")
    assert served(module, pack([], np.float32, 1)) == [[], 0]


def test_elements_of_different_ranks_stand_in_one_sequence() -> None:
    module = model("m (float[2] a, float[1, 2] b) => (seq(float) y) { y = SequenceConstruct(a, b) }")
    a, b = np.ones(2, np.float32), np.ones([1, 2], np.float32)
    assert [each.shape for each in served(module, a, b)[0]] == [(2,), (1, 2)]


def test_a_split_by_sizes_at_run_time_joins_to_what_it_was() -> None:
    module = model("""m (float[n, 2] x, int64[k] sizes) => (float[m, 2] y, int64 count) {
        s = SplitToSequence<axis = 0>(x, sizes)
        y = ConcatFromSequence<axis = 0>(s)
        count = SequenceLength(s) }""")
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    joined, count = served(module, x, np.array([1, 3, 2]))
    np.testing.assert_array_equal(joined, x)
    assert count == 3


def test_elements_are_stacked_along_a_new_axis() -> None:
    module = model("m (seq(float[2]) s) => (float[2, n] y) { y = ConcatFromSequence<axis=1, new_axis=1>(s) }")
    given = [np.array([1, 2], np.float32), np.array([3, 4], np.float32), np.array([5, 6], np.float32)]
    np.testing.assert_array_equal(served(module, pack(given, np.float32, 1))[0], [[1, 3, 5], [2, 4, 6]])


def test_a_loop_collects_elements_that_grow() -> None:
    module = model("""m (int64 count) => (seq(float[n]) y) {
        start = SequenceEmpty()
        going = Constant<value = bool {1}>()
        y = Loop(count, going, start) <body = b (int64 i, bool c, seq(float[n]) s) => (bool d, seq(float[n]) t) {
            d = Identity(c)
            one = Constant<value = int64[1] {1}>()
            axes = Constant<value = int64[1] {0}>()
            n = Unsqueeze(i, axes)
            size = Add(n, one)
            x = ConstantOfShape<value = float[1] {2.0}>(size)
            t = SequenceInsert(s, x) }> }""")
    assert equal(served(module, np.int64(3))[0], [np.full(size, 2, np.float32) for size in (1, 2, 3)])
    assert served(module, np.int64(0))[0] == []


def test_a_missing_optional_is_told_from_one_that_is_there() -> None:
    module = model("m (optional(seq(float[n])) o) => (bool y) { y = OptionalHasElement(o) }")
    pair = pack(ROWS, np.float32, 1)
    assert served(module, (np.True_, pair)) == [True]
    assert served(module, (np.False_, pack([], np.float32, 1))) == [False]


def test_reading_an_optional_that_is_missing_stops_with_an_error() -> None:
    module = model("m (optional(float[n]) o) => (float[n] y) { y = OptionalGetElement(o) }")
    np.testing.assert_array_equal(served(module, (np.True_, ROWS[0]))[0], ROWS[0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="no element is there"):
        module.serve((np.False_, ROWS[0]))


def test_a_saved_model_carries_sequences_in_its_signature(tmp_path: Path) -> None:
    module = model("m (seq(float[n]) s, float[k] x) => (seq(float[m]) y) { y = SequenceInsert(s, x) }")
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    new = np.array([9], np.float32)
    (found,) = loaded.serve(tuple(map(tf.constant, pack(ROWS, np.float32, 1))), tf.constant(new))
    assert equal(unpack(*found), [*ROWS, new])
