"""Expands that what reads them does not need."""

import pytest
from onnx import parser

from isoform.hub import graph
from isoform.hub.passes.drop_expands import drop_expands

SIDES = "(float[n,4,1] x, float[n,4,6] a, float[n,4,m] b, float[6] c, int64[3] t) => (float[i,j,k] y)"


def readers_of_x(body: str) -> list[str]:
    """Return the operators that read x after the pass."""
    text = f'<ir_version: 10, opset_import: ["" : 18]> g {SIDES} <int64[3] known = {{1, 4, 6}}> {{ {body} }}'
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


@pytest.mark.parametrize(
    "body",
    [
        "e = Expand(x, known)  y = Neg(e)",
        "s = Shape(a)  e = Expand(x, s)  y = Div(c, e)",
        "e = Expand(x, t)  y = Div(a, e)",
        "s = Shape(a)  e = Expand(x, s)  y = Sub(e, x)",
    ],
    ids=["no broadcasting", "the other is smaller", "computed sizes", "another of the same shape"],
)
def test_an_expand_that_brings_a_size_stays(body: str) -> None:
    expected = ["Expand", "Sub"] if "Sub" in body else ["Expand"]
    assert readers_of_x(body) == expected
