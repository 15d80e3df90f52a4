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


@pytest.mark.parametrize(
    ("size", "split", "number", "operators"),
    [
        ("6", "int64 {2}", "2", ["Split", "Sub"]),
        ("6", "int64[3] {2, 2, 2}", "1", ["Split", "Sub"]),
        ("n", "int64 {2}", "2", ["Slice", "Slice", "Sub"]),
    ],
)
def test_numbered_parts_are_taken_without_a_sequence(size: str, split: str, number: str, operators: list[str]) -> None:
    text = TEXT.replace("SIZE", size).replace("SPLIT", split).replace("NUMBER", number)
    x = np.arange(12, dtype=np.float32).reshape(2, 6)
    wanted = ReferenceEvaluator(ir.to_proto(ir.from_onnx_text(text))).run(None, {"x": x})
    model = ir.from_onnx_text(text)
    restore_split(model)
    assert [node.op_type for node in model.graph if node.op_type != "Constant"] == operators
    found = ReferenceEvaluator(ir.to_proto(model)).run(None, {"x": x})
    np.testing.assert_array_equal(found[0], wanted[0])


def test_a_sequence_that_is_used_as_one_stays() -> None:
    text = TEXT.replace("SIZE", "6").replace("SPLIT", "int64 {2}").replace("NUMBER", "2")
    text = text.replace("b = SequenceAt (parts, zero)", "b = ConcatFromSequence <axis = 1> (parts)")
    model = ir.from_onnx_text(text)
    restore_split(model)
    assert "SplitToSequence" in [node.op_type for node in model.graph]
