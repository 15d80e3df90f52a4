"""What the graph says of the sign of integers, and where it says nothing."""

import pytest
from onnx import parser

from isoform.hub import graph
from isoform.hub.passes.never_negative import is_never_negative, note_lowest

CONSTANTS = (
    "int64[3] table = {0, 5, 2}, int64[3] signed = {0, -5, 2}, int64 zero = {0}, int64 one = {1}, int64 minus = {-1},"
    " int64[1] first = {0}, int64[1] last = {2}"
)


def is_known(body: str) -> bool:
    """Return what is found of y, computed by ``body`` from int64 ids[n], float32 x[n] and bool mask[n]."""
    inputs = "int64[n] ids, float[n] x, bool[n] mask"
    text = f'<ir_version: 10, opset_import: ["" : 20]> g ({inputs}) => (int64[k] y) <{CONSTANTS}> {{ {body} }}'
    return is_never_negative(graph.load(parser.parse_model(text)).graph.outputs[0])


@pytest.mark.parametrize(
    "body",
    [
        "y = Shape(x)",
        "s = Shape(x)  n = Squeeze(s)  y = Range(zero, n, one)",
        "y = Slice(table, first, last)",
        "y = Gather(table, ids)",
        "y = Cast <to = 7> (mask)",
        "m = Cast <to = 7> (mask)  c = CumSum(m, zero)  y = Mul(c, m)",
        "s = Shape(x)  y = Where(mask, s, table)",
        "s = Shape(x)  t = Concat <axis = 0> (s, table)  y = Add(t, one)",
    ],
)
def test_places_that_are_counted_from_the_start_are_told(body: str) -> None:
    assert is_known(body)


@pytest.mark.parametrize(
    "body",
    [
        "y = Add(ids, one)",
        "y = Gather(signed, ids)",
        "y = Add(table, minus)",
        "s = Shape(x)  y = Sub(s, one)",
        "y = Cast <to = 7> (x)",
        "s = Shape(x)  n = Squeeze(s)  y = Range(n, minus, minus)",
        "s = Shape(x)  y = Where(mask, s, ids)",
        "s = Shape(x)  y = Max(s, ids)",
    ],
)
def test_nothing_is_told_of_what_may_be_negative(body: str) -> None:
    assert not is_known(body)


def test_a_sum_of_sums_is_followed_once_each() -> None:
    sums = "  ".join(f"v{place + 1} = Add(v{place}, v{place})" for place in range(40))
    assert is_known(f"v0 = Shape(x)  {sums}  y = Add(v40, one)")


def test_an_input_is_what_its_declaration_says() -> None:
    body = f"g (int64[n] ids) => (int64[n] y) <{CONSTANTS}> {{ y = Add(ids, one) }}"
    text = f'<ir_version: 10, opset_import: ["" : 20]> {body}'
    for lowest, is_known_now in ((0, True), (-1, False), (None, False)):
        model = graph.load(parser.parse_model(text))
        note_lowest(model, {"ids": lowest})
        assert is_never_negative(model.graph.outputs[0]) == is_known_now
