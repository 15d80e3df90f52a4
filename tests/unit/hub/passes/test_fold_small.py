"""Folding what small constants determine: axes, masks, branches of a known condition."""

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir

from isoform.hub import graph
from isoform.hub.passes.describe_bodies import describe_bodies
from isoform.hub.passes.fold_small import fold_small
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.widen_half import widen_half


def model(text: str) -> ir.Model:
    proto = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 19]> main {text}')
    loaded = graph.load(proto)
    graph.infer_shapes(loaded)
    return loaded


def operators(loaded: ir.Model) -> list[str]:
    return [node.op_type for node in loaded.graph]


def test_computed_axes_become_an_initialiser_and_ranks_are_known() -> None:
    loaded = model(
        "(float[n,4] x) => (float y) <int64 a = {1}, int64 b = {3}, int64 c = {1}>"
        " { i = Range(a, b, c)  z = Unsqueeze(x, i)  y = ReduceSum<keepdims: int = 0>(z) }"
    )
    assert fold_small(loaded)
    graph.infer_shapes(loaded)
    assert operators(loaded) == ["Unsqueeze", "ReduceSum"]
    axes = constant(loaded.graph[0].inputs[1])
    assert axes is not None
    assert axes.tolist() == [1, 2]
    assert str(loaded.graph[0].outputs[0].shape) == "[n,1,1,4]"
    assert not fold_small(loaded)


def test_a_large_result_is_left_to_the_runtime() -> None:
    loaded = model("(float[n] x) => (float[n] y) <int64[1] s = {1000000}> { z = ConstantOfShape(s)  y = Add(x, z) }")
    assert not fold_small(loaded)
    assert operators(loaded) == ["ConstantOfShape", "Add"]


def test_the_body_of_a_loop_learns_the_rank_of_what_it_carries() -> None:
    loaded = model(
        "(float[n,4] x, int64 m) => (float[n,4] y) <bool go = {1}, int64[1] axis = {0}> { y = Loop(m, go, x)<"
        "body = turn (int64 i, bool on, before) => (bool on_, after) {"
        " on_ = Identity(on)  w = Unsqueeze(before, axis)  after = Squeeze(w, axis) }> }"
    )
    describe_bodies(loaded)
    body = loaded.graph[0].attributes["body"].as_graph()
    assert body.inputs[2].shape is not None
    assert [len(value.shape or ()) for value in (body.inputs[2], body[1].outputs[0], body.outputs[1])] == [2, 3, 2]


def test_half_precision_is_widened_between_the_borders() -> None:
    loaded = model(
        "(float16[n,4] x) => (float16[n,4] y) <float16[4] w = {15360, 16384, 16896, 17408}>"
        " { z = Mul(x, w)  y = Tanh(z) }"
    )
    assert widen_half(loaded)
    assert operators(loaded) == ["Cast", "Mul", "Tanh", "Cast"]
    weight = constant(loaded.graph[1].inputs[1])
    assert weight is not None
    np.testing.assert_array_equal(weight, np.array([1, 2, 3, 4], np.float32))
    assert [str(value.dtype) for value in (loaded.graph.inputs[0], loaded.graph.outputs[0])] == ["FLOAT16"] * 2
    assert loaded.graph.outputs[0].name == "y"


def test_a_graph_without_half_precision_stays_as_it_is() -> None:
    assert not widen_half(model("(float[n] x) => (float[n] y) { y = Tanh(x) }"))


def test_tables_of_angles_in_float64_are_folded_and_in_float32_left_to_the_runtime() -> None:
    text = (
        "(float[n,3] x) => (float[n,3] y) <{0} [3] at = {{0.5, 1.0, 2.0}}, {0}[1] w = {{0.25}}> "
        '{{ a = Einsum<equation = "i,j->ij">(at, w)  s = Sin(a)  t = Cast<to = 1>(s)  u = Squeeze(t)  y = Add(x, u) }}'
    )
    wide, narrow = model(text.format("double")), model(text.format("float"))
    while fold_small(wide) or fold_small(narrow):
        continue
    assert operators(wide) == ["Add"]
    folded = constant(wide.graph[0].inputs[1])
    assert folded is not None
    np.testing.assert_array_equal(folded, np.sin(0.25 * np.array([0.5, 1.0, 2.0])).astype(np.float32))
    assert operators(narrow)[:2] == ["Einsum", "Sin"]
