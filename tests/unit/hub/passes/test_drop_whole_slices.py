"""Slices that take everything, and those that only look like it."""

import pytest
from onnx import parser

from isoform.hub import graph
from isoform.hub.passes.drop_whole_slices import drop_whole_slices

CONSTANTS = (
    "int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] four = {4}, int64[1] minus = {-1},"
    " int64[1] last = {9223372036854775807}"
)


def readers_of_x(body: str, opset: int = 18) -> list[str]:
    """Return the operators that read the input after the pass."""
    text = f'<ir_version: 10, opset_import: ["" : {opset}]> g (float[n,4] x) => (float[n,k] y) <{CONSTANTS}>'
    model = graph.load(parser.parse_model(f"{text} {{ {body} }}"))
    drop_whole_slices(model)
    return sorted(node.op_type for node in model.graph if node.inputs[0] is model.graph.inputs[0])


@pytest.mark.parametrize(
    "body",
    [
        "s = Slice(x, zero, last, zero, one)  y = Neg(s)",
        "s = Slice(x, zero, last)  y = Neg(s)",
        "s = Slice(x, zero, four, one)  y = Neg(s)",
        "s = Slice(x, zero, last, minus)  y = Neg(s)",
    ],
)
def test_a_slice_of_everything_is_left_out(body: str) -> None:
    assert readers_of_x(body) == ["Neg", "Slice"]


def test_a_slice_with_attributes_is_left_out() -> None:
    assert "Neg" in readers_of_x("s = Slice <starts = [0], ends = [4], axes = [1]> (x)  y = Neg(s)", 9)


@pytest.mark.parametrize(
    "body",
    [
        "s = Slice(x, one, last, one)  y = Neg(s)",
        "s = Slice(x, zero, two, one)  y = Neg(s)",
        "s = Slice(x, zero, four, zero)  y = Neg(s)",
        "s = Slice(x, zero, last, one, two)  y = Neg(s)",
        "s = Slice(x, last, zero, one, minus)  y = Neg(s)",
        "y = Slice(x, zero, last, one)",
    ],
    ids=["starts later", "ends before", "an unknown size", "every second", "backwards", "an output"],
)
def test_a_slice_of_less_stays(body: str) -> None:
    assert readers_of_x(body) == ["Slice"]
