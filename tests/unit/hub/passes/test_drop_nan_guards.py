"""Guards against rows of a softmax that are no numbers."""

import pytest
from onnx import parser

from isoform.hub import graph
from isoform.hub.emitters.tflite_ops.infinities import may_be_infinite
from isoform.hub.passes.drop_nan_guards import drop_nan_guards

GUARD = "n = IsNaN(s)  w = Where(n, zero, s)  y = Neg(w)"


def read_by_the_last(body: str) -> str | None:
    """Return what the last node reads after the pass."""
    numbers = "float zero = {0.0}, float one = {1.0}, float lowest = {-3.4e38}, float minus = {-inf}"
    sides = "(float[n,4] x, bool[n,4] hidden, float[n,4] z) => (float[n,4] y)"
    text = f'<ir_version: 10, opset_import: ["" : 18]> g {sides} <{numbers}> {{ {body} }}'
    model = graph.load(parser.parse_model(text))
    drop_nan_guards(model, may_be_infinite)
    value = model.graph.node(len(model.graph) - 1).inputs[0]
    return value.name if value is not None else None


@pytest.mark.parametrize("mask", ["lowest", "zero"])
def test_a_guard_goes_where_no_row_is_hidden_by_infinities(mask: str) -> None:
    assert read_by_the_last(f"m = Where(hidden, {mask}, zero)  a = Add(x, m)  s = Softmax(a)  {GUARD}") == "s"


@pytest.mark.parametrize(
    "body",
    [
        f"m = Where(hidden, minus, zero)  a = Add(x, m)  s = Softmax(a)  {GUARD}",
        f"s = Softmax(x)  {GUARD.replace('zero, s', 'one, s')}",
        f"s = Softmax(x)  {GUARD.replace('IsNaN(s)', 'IsNaN(z)')}",
        f"s = Exp(x)  {GUARD}",
        f"s = Softmax(x)  {GUARD.replace('zero, s', 's, zero')}",
    ],
    ids=["infinities", "other numbers", "another test", "no softmax", "the other way round"],
)
def test_other_guards_stay(body: str) -> None:
    assert read_by_the_last(body) == "w"
