"""Rows that replace neighbouring rows, on ONNX' own definition of ScatterND as the oracle."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser
from onnx.reference import ReferenceEvaluator
from onnx_ir import serde
from onnx_ir.passes import common

from isoform.hub import graph
from isoform.hub.passes.restore_slice_scatter import restore_slice_scatter

COUNTED = "d = Shape(x)  n = Gather(d, nil)  r = Range(nil, n, step)"
COLUMN = "p = Unsqueeze(q, minus)"


def model(body: str, rows: list[int] = [1, 2]) -> onnx.ModelProto:  # noqa: B006
    places = numpy_helper.from_array(np.array(rows, np.int64).reshape(-1, 1), "places")
    constants = "int64 nil = {0}, int64 step = {1}, int64 axis = {1}, int64[1] zero = {0}, int64[1] one = {1},"
    constants += " int64[1] three = {3}, int64[1] minus = {-1}, int64[1] last = {9223372036854775807}"
    sides = "(float[n,3] x, float[k,3] u) => (float[m,3] y)"
    text = f'<ir_version: 10, opset_import: ["" : 18]> g {sides} <{constants}> {{ {body}  y = Identity(w) }}'
    proto = parser.parse_model(text)
    proto.graph.initializer.append(places)
    return proto


def rewritten(proto: onnx.ModelProto) -> onnx.ModelProto:
    found = graph.load(proto)
    graph.infer_shapes(found)
    restore_slice_scatter(found)
    common.RemoveUnusedNodesPass()(found)
    return serde.serialize_model(found)


def agree(proto: onnx.ModelProto, rows: int) -> None:
    rng = np.random.default_rng(0)
    feed = {"x": rng.random((4, 3), np.float32), "u": rng.random((rows, 3), np.float32)}
    [wanted], [found] = (ReferenceEvaluator(each).run(None, feed) for each in (proto, rewritten(proto)))
    np.testing.assert_array_equal(found, wanted)


def operators(proto: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in rewritten(proto).graph.node}


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (f"{COUNTED}  q = Slice(r, zero, last, zero, one)  {COLUMN}  w = ScatterND(x, p, u)", 4),
        (f"{COUNTED}  q = Identity(r)  p = Unsqueeze(r, one)  w = ScatterND(x, p, u)", 4),
        (f"{COUNTED}  q = Slice(r, one, three)  {COLUMN}  w = ScatterND(x, p, u)", 2),
        (f"{COUNTED}  q = Slice(r, three, last)  {COLUMN}  w = ScatterND(x, p, u)", 1),
        ("w = ScatterND(x, places, u)", 2),
    ],
    ids=["all rows", "all without a slice", "rows between", "the last ones", "known places"],
)
def test_neighbouring_rows_are_joined(body: str, rows: int) -> None:
    proto = model(body)
    assert "ScatterND" not in operators(proto)
    agree(proto, rows)


@pytest.mark.parametrize(
    ("body", "places"),
    [
        (f"{COUNTED}  q = Slice(r, one, three)  {COLUMN}  w = ScatterND <reduction = \"add\"> (x, p, u)", [1, 2]),
        ("w = ScatterND(x, places, u)", [2, 1]),
        ("w = ScatterND(x, places, u)", [-2, -1]),
        ("d = Shape(x)  n = Gather(d, axis)  r = Range(nil, n, step)  q = Slice(r, one, three)  "
         f"{COLUMN}  w = ScatterND(x, p, u)", [1, 2]),
        (f"{COUNTED}  q = Slice(r, minus, last)  {COLUMN}  w = ScatterND(x, p, u)", [1, 2]),
    ],
    ids=["sums", "another order", "from the end", "counted along another axis", "a start from the end"],
)  # fmt: skip
def test_other_rows_stay_scattered(body: str, places: list[int]) -> None:
    assert "ScatterND" in operators(model(body, places))
