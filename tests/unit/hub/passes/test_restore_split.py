"""Sequences of parts become Split, or Slice where the number of parts is not known; the numbers stay."""

import numpy as np
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator

from isoform.hub.passes.restore_split import restore_split

TEXT = """
<ir_version: 10, opset_import: ["" : 20]>
g (float[2, SIZE] x) => (float[2, k] y) {
    size = Constant <value = SPLIT> ()
    parts = SplitToSequence <axis = 1> (x, size)
    zero = Constant <value = int64 {0}> ()
    two = Constant <value = int64 {NUMBER}> ()
    a = SequenceAt (parts, two)
    b = SequenceAt (parts, zero)
    y = Sub (a, b)
}
"""


COMPUTED = """
<ir_version: 10, opset_import: ["" : 20]>
g (float[2, n] x, SHAPE size) => (float[2, k] y) {
    parts = SplitToSequence <axis = 1> (x, size)
    zero = Constant <value = int64 {0}> ()
    two = Constant <value = int64 {NUMBER}> ()
    a = SequenceAt (parts, two)
    b = SequenceAt (parts, zero)
    y = Concat <axis = 1> (a, b)
}
"""
X = np.arange(12, dtype=np.float32).reshape(2, 6)


def restored(text: str, **given: np.ndarray) -> list[str]:
    """Return the operators that are left, once the answers have been seen to be the same."""
    wanted = ReferenceEvaluator(ir.to_proto(ir.from_onnx_text(text))).run(None, given)
    model = ir.from_onnx_text(text)
    assert restore_split(model)
    found = ReferenceEvaluator(ir.to_proto(model)).run(None, given)
    np.testing.assert_array_equal(found[0], wanted[0])
    return [node.op_type for node in model.graph if node.op_type != "Constant"]


@pytest.mark.parametrize(
    ("size", "split", "number", "operators"),
    [
        ("6", "int64 {2}", "2", ["Split", "Sub"]),
        ("6", "int64[3] {2, 2, 2}", "1", ["Split", "Sub"]),
        ("6", "int64[3] {2, 2, 2}", "-1", ["Split", "Sub"]),
        ("n", "int64 {2}", "2", [*["Reshape", "Add"] * 3, "Slice", "Slice", "Sub"]),
    ],
)
def test_numbered_parts_are_taken_without_a_sequence(size: str, split: str, number: str, operators: list[str]) -> None:
    assert restored(TEXT.replace("SIZE", size).replace("SPLIT", split).replace("NUMBER", number), x=X) == operators


@pytest.mark.parametrize(
    ("shape", "sizes", "number"),
    [("int64", 2, 2), ("int64", 4, 1), ("int64[3]", [1, 3, 2], 2), ("int64[3]", [1, 3, 2], -2)],
)
def test_parts_of_computed_sizes_are_sliced(shape: str, sizes: int | list[int], number: int) -> None:
    text = COMPUTED.replace("SHAPE", shape).replace("NUMBER", str(number))
    assert "SplitToSequence" not in restored(text, x=X, size=np.array(sizes, np.int64))


@pytest.mark.parametrize(("shape", "number", "is_computed"), [("int64", "-1", True), ("int64[3]", "1", False)])
def test_parts_stay_a_sequence_where_their_place_is_not_known_or_may_turn_out_to_be(
    shape: str, number: str, is_computed: bool
) -> None:
    model = ir.from_onnx_text(COMPUTED.replace("SHAPE", shape).replace("NUMBER", number))
    assert not restore_split(model, is_computed=is_computed)
    assert "SplitToSequence" in [node.op_type for node in model.graph]


def test_a_sequence_that_is_used_as_one_stays() -> None:
    text = TEXT.replace("SIZE", "6").replace("SPLIT", "int64 {2}").replace("NUMBER", "2")
    text = text.replace("b = SequenceAt (parts, zero)", "b = ConcatFromSequence <axis = 1> (parts)")
    model = ir.from_onnx_text(text)
    restore_split(model)
    assert "SplitToSequence" in [node.op_type for node in model.graph]
