"""Tests that are always true, left out of the mask that they are joined with."""

import numpy as np
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.drop_true_tests import drop_true_tests

CONSTANTS = "int64 zero = {0}, int64 one = {1}, int64[1] first = {0}, int64[2] last = {1, 2}"
PLACES = "s = Shape(mask)  n = Gather(s, one)  r = Range(zero, n, one)  u = Unsqueeze(r, last)"


def after(body: str) -> list[str]:
    """Return the operators that are read after the pass, the function seen to be the same."""
    sides = "(bool[b,m] mask, int64[m] ids) => (bool[i,j,k] y)"
    text = f'<ir_version: 10, opset_import: ["" : 20]> g {sides} <{CONSTANTS}> {{ {body} }}'
    proto = parser.parse_model(text)
    model = graph.load(proto)
    graph.infer_shapes(model)
    drop_true_tests(model)
    feeds = {"mask": np.array([[True, False, True], [False, False, True]]), "ids": np.array([0, -1, 2])}
    wanted, found = (ReferenceEvaluator(each).run(None, feeds)[0] for each in (proto, ir.to_proto(model)))
    np.testing.assert_array_equal(found, wanted)
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize(
    "body",
    [
        "t = GreaterOrEqual(u, zero)  a = And(t, mask)",
        "t = LessOrEqual(zero, u)  v = Unsqueeze(t, first)  a = And(mask, v)",
    ],
)
def test_a_place_is_never_negative(body: str) -> None:
    shaped = (
        body
        if "v =" not in body
        else body.replace("And(mask, v)", "And(mask, w)").replace("a =", "z = Squeeze(v, first)  w = Identity(z)  a =")
    )
    assert "And" not in after(f"{PLACES}  {shaped}  y = Not(a)")


@pytest.mark.parametrize("test", ["GreaterOrEqual(u, one)", "GreaterOrEqual(zero, u)", "GreaterOrEqual(v, zero)"])
def test_what_may_be_false_stays(test: str) -> None:
    assert "And" in after(f"{PLACES}  v = Unsqueeze(ids, last)  t = {test}  a = And(t, mask)  y = Not(a)")
