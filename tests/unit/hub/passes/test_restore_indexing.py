"""Indexing with every place in order, as attention looks masks up."""

import numpy as np
import onnx
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator
from onnx_ir import serde

from isoform.hub import graph
from isoform.hub.passes.restore_indexing import restore_indexing

COUNTS = (
    "d = Shape <start = 0, end = 1> (x)  e = Shape <start = 1, end = 2> (x)  n = Squeeze(d)  m = Squeeze(e)"
    "  a = Range(nil, n, step)  c = Range(nil, m, step)"
)
PLACES = "p = Unsqueeze(a, behind)  q = Unsqueeze(c, before)"
JOINED = (
    "j = Max(p, q)  s = Shape(j)  pe = Expand(p, s)  qe = Expand(q, s)  pu = Unsqueeze(pe, minus)"
    "  qu = Unsqueeze(qe, minus)  i = Concat <axis = -1> (pu, qu)  g = GatherND(x, i)  y = Not(g)"
)
CONSTANTS = (
    "int64 nil = {0}, int64 one = {1}, int64 step = {1}, int64[3] behind = {1, 2, 3}, int64[3] before = {0, 1, 2},"
    " int64[1] minus = {-1}"
)


def model(body: str) -> onnx.ModelProto:
    sides = "(bool[b,l] x) => (bool[i,j,k,o] y)"
    return parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18]> g {sides} <{CONSTANTS}> {{ {body} }}')


def restored(proto: onnx.ModelProto) -> onnx.ModelProto:
    found = graph.load(proto)
    graph.infer_shapes(found)
    restore_indexing(found)
    return serde.serialize_model(found)


def is_restored(proto: onnx.ModelProto) -> bool:
    return "GatherND" not in {node.op_type for node in restored(proto).graph.node}


OFFSET = PLACES.replace("q = Unsqueeze(c, before)", "f = Add(c, nil)  q = Unsqueeze(f, before)")


@pytest.mark.parametrize("places", [PLACES, OFFSET], ids=["plain", "with an offset of zero"])
def test_every_place_in_order_is_the_tensor_itself(places: str) -> None:
    proto = model(f"{COUNTS}  {places}  {JOINED}")
    assert is_restored(proto)
    x = np.random.default_rng(0).random((3, 5)) > 0.5
    [wanted], [found] = (ReferenceEvaluator(each).run(None, {"x": x}) for each in (proto, restored(proto)))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a = Range(nil, n, step)", "a = Range(nil, m, step)"),
        ("c = Range(nil, m, step)", "c = Range(one, m, step)"),
        ("q = Unsqueeze(c, before)", "f = Add(c, one)  q = Unsqueeze(f, before)"),
        ("p = Unsqueeze(a, behind)  q = Unsqueeze(c, before)", "p = Unsqueeze(a, before)  q = Unsqueeze(c, behind)"),
        ("s = Shape(j)", "w = Concat <axis = 0> (d, e)  v = Unsqueeze(x, behind)  s = Shape(v)"),
    ],
    ids=["another size", "from the second on", "one further", "the other way round", "a shape of something else"],
)
def test_other_places_are_gathered(old: str, new: str) -> None:
    body = f"{COUNTS}  {PLACES}  {JOINED}"
    assert old in body
    assert not is_restored(model(body.replace(old, new)))
