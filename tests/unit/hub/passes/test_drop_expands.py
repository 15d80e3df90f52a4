"""Expands that what reads them does not need."""

import pytest
from onnx import parser

from isoform.hub import graph
from isoform.hub.passes.drop_expands import drop_expands

SIDES = "(float[n,4,1] x, float[n,4,6] a, float[n,4,m] b, float[6] c, int64[3] t) => (float[i,j,k] y)"


def readers_of_x(body: str) -> list[str]:
    """Return the operators that read x after the pass."""
    numbers = "int64[3] known = {1, 4, 6}, int64[1] f = {4}, float zero = {0.0}, float half = {0.5}"
    numbers += ", int64[1] second = {1}, int64[1] third = {2}"
    text = f'<ir_version: 10, opset_import: ["" : 18]> g {SIDES} <{numbers}> {{ {body} }}'
    model = graph.load(parser.parse_model(text))
    graph.infer_shapes(model)
    drop_expands(model)
    return sorted(node.op_type for node in model.graph if model.graph.inputs[0] in node.inputs)


@pytest.mark.parametrize(
    "body",
    [
        "s = Shape(a)  e = Expand(x, s)  y = Div(a, e)",
        "s = Shape(b)  e = Expand(x, s)  y = Sub(e, b)",
        "e = Expand(x, known)  y = Div(a, e)",
    ],
    ids=["the shape of the other", "the shape of a dynamic other", "known sizes"],
)
def test_a_reader_that_broadcasts_reads_what_is_expanded(body: str) -> None:
    assert len(readers_of_x(body)) == 2


def test_what_works_on_each_element_by_itself_may_stand_in_between() -> None:
    body = "s = Shape(a)  e = Expand(x, s)  l = Less(e, zero)  w = Where(l, zero, half)  y = Add(a, w)"
    assert readers_of_x(body) == ["Expand", "Less"]


def test_a_reduction_of_other_axes_may_stand_in_between() -> None:
    body = "s = Shape(a)  e = Expand(x, s)  m = ReduceMax <keepdims = 1> (e, axes)  y = Add(a, m)"
    assert readers_of_x(body.replace("axes", "second")) == ["Expand", "ReduceMax"]
    assert readers_of_x(body.replace("axes", "third")) == ["Expand"]


def test_sizes_are_followed_to_where_they_are_read() -> None:
    body = "p = Shape <end = 2> (b)  q = Shape <start = 2> (b)  s = Concat <axis = 0> (n, f, q)  e = Expand(x, s)"
    counted = "n = Shape <end = 1> (b)"
    assert readers_of_x(f"{counted}  {body}  y = Add(e, b)") == ["Add", "Expand"]


@pytest.mark.parametrize(
    "body",
    [
        "e = Expand(x, known)  l = Less(e, c)  w = Where(l, zero, half)  y = Add(a, w)",
        "e = Expand(x, known)  w = Abs(e)  v = Mul(w, zero)  y = Add(a, v)",
        "e = Expand(x, known)  v = Mul(e, half)  w = Add(v, half)  y = Add(v, w)",
        "e = Expand(x, known)  y = Neg(e)",
        "s = Shape(a)  e = Expand(x, s)  y = Div(c, e)",
        "e = Expand(x, t)  y = Div(a, e)",
        "s = Shape(a)  e = Expand(x, s)  y = Sub(e, x)",
    ],
    ids=[
        "no single number in between",
        "an operator between that is not known",
        "two that come of it",
        "no broadcasting",
        "the other is smaller",
        "computed sizes",
        "another of the same shape",
    ],
)
def test_an_expand_that_brings_a_size_stays(body: str) -> None:
    expected = ["Expand", "Sub"] if "Sub" in body else ["Expand"]
    assert readers_of_x(body) == expected
