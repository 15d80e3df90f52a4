"""A row of a table that is looked up at every place, looked up once."""

import numpy as np
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.fold_sizes import fold_sizes
from isoform.hub.passes.gather_once import gather_once

CONSTANTS = (
    "float[2,3] table = {1,2,3,4,5,6}, int64[1,4] ones = {1,1,1,1}, int64[1,4] mixed = {0,1,1,1},"
    " int64[1,4] places = {0,1,2,3}, int64[1,4] far = {0,1,2,4}, int64[1] zero = {0}, int64[1] one = {1}"
)
LENGTH = "n = Shape <start = 1, end = 2> (x)  i = Slice(places, zero, n, one)  s = Shape <end = 2> (x)"
READ = "e = Gather(table, t)  y = Add(x, e)"


def looked_up(body: str) -> list[int | str | None]:
    """Return the sizes of what is looked up of the table, the function seen to be the same."""
    sides = "(float[b,m,3] x) => (float[b,m,k] y)"
    proto = parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]> g {sides} <{CONSTANTS}> {{ {body} }}')
    model = graph.load(proto)
    graph.infer_shapes(model)
    fold_sizes(model)
    graph.infer_shapes(model)
    gather_once(model)
    x = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    wanted, found = (ReferenceEvaluator(each).run(None, {"x": x}) for each in (proto, ir.to_proto(model)))
    np.testing.assert_array_equal(found[0], wanted[0])
    [node] = [node for node in model.graph if node.inputs[0] is model.graph.initializers["table"]]
    shape = node.outputs[0].shape
    assert shape is not None
    return [dim if isinstance(dim, int) else dim.value for dim in shape]


@pytest.mark.parametrize(
    "body",
    [
        f"{LENGTH}  k = GatherElements <axis = 1> (ones, i)  t = Expand(k, s)  {READ}",
        f"{LENGTH}  k = Slice(ones, zero, n, one)  t = Expand(k, s)  e = Gather(table, t)  y = Mul(e, x)",
    ],
)
def test_one_place_for_all_is_looked_up_once(body: str) -> None:
    assert looked_up(body) == [1, 1, 3]


@pytest.mark.parametrize(
    "body",
    [
        f"{LENGTH}  t = Expand(mixed, s)  {READ}",
        f"{LENGTH}  t = Expand(ones, s)  e = Gather(table, t)  a = Abs(e)  y = Add(x, a)",
        f"{LENGTH}  t = Expand(ones, s)  e = Gather(table, t)  y = Add(e, e)",
        f"{LENGTH}  j = Slice(far, zero, n, one)  z = Sub(j, j)  k = Gather <axis = 1> (ones, z)  l = Squeeze(k, zero)"
        f"  t = Expand(l, s)  {READ}",
    ],
    ids=["two places", "a reader that does not broadcast", "a reader of nothing else", "places that are computed"],
)
def test_anything_else_stays(body: str) -> None:
    assert looked_up(body)[0] != 1
