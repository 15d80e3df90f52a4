"""Resizes by sizes of which only that of the batch is computed."""

import numpy as np
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.known_resizes import known_resizes

CONSTANTS = "int64[1] four = {4}, int64[1] eight = {8}, int64[1] three = {3}"
LINEAR = '<mode = "linear", coordinate_transformation_mode = "half_pixel">'
BATCH = "b = Shape <end = 1> (x)  s = Concat <axis = 0> "


def resizes(body: str, opset: int = 20) -> list[list[int]]:
    """Return the axes that are resized after the pass, by node, the function seen to be the same."""
    sides = "(float[n,3,4,4] x, int64[1] h) => (float[n,3,i,j] y)"
    proto = parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> g {sides} <{CONSTANTS}> {{ {body} }}')
    model = graph.load(proto)
    graph.infer_shapes(model)
    known_resizes(model)
    feeds = {"x": np.random.default_rng(0).random((2, 3, 4, 4), np.float32), "h": np.array([8])}
    wanted, found = (ReferenceEvaluator(each).run(None, feeds)[0] for each in (proto, ir.to_proto(model)))
    np.testing.assert_array_equal(found, wanted)
    read = [node for node in model.graph if node.op_type == "Resize" and list(node.outputs[0].uses())]
    return [list(node.attributes["axes"].as_ints()) if "axes" in node.attributes else [] for node in read]


def test_the_axes_that_change_are_named() -> None:
    body = f"{BATCH} (b, three, eight, eight)  r = Resize {LINEAR} (x, , , s)  y = Identity(r)"
    assert resizes(body) == [[2, 3]]
    assert resizes(body.replace("eight, eight", "four, eight")) == [[3]]


def test_a_resize_to_the_sizes_that_are_there_is_left_out() -> None:
    assert resizes(f"{BATCH} (b, three, four, four)  r = Resize {LINEAR} (x, , , s)  y = Abs(r)") == []


@pytest.mark.parametrize(("sizes", "opset"), [("b, three, h, eight", 20), ("b, three, eight, eight", 17)])
def test_sizes_that_are_computed_and_older_operators_stay(sizes: str, opset: int) -> None:
    assert resizes(f"{BATCH} ({sizes})  r = Resize {LINEAR} (x, , , s)  y = Identity(r)", opset) == [[]]
