"""What is computed twice is computed once; names of outputs, bodies and random numbers stay their own."""

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime

from isoform.hub import graph
from isoform.hub.passes.share_equal import share_equal


def model(text: str) -> ir.Model:
    return graph.load(onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 19]> main {text}'))


def operators(loaded: ir.Model) -> list[str]:
    return [node.op_type for node in loaded.graph]


def test_equal_small_constants_make_equal_nodes() -> None:
    loaded = model(
        "(float[n] x) => (float[n,1] y) <int64[1] a = {1}, int64[1] b = {1}, int64[1] c = {0}>"
        " { p = Unsqueeze(x, a) q = Unsqueeze(x, b) r = Unsqueeze(x, c) s = Add(p, q) y = Add(s, r) }"
    )
    share_equal(loaded)
    assert operators(loaded) == ["Unsqueeze", "Unsqueeze", "Add", "Add"]


def test_attributes_and_types_tell_nodes_apart() -> None:
    loaded = model(
        "(float[n,2] x) => (float[a] y) <int64[1] i = {1}, int32[2] j = {1, 0}>"
        " { p = Softmax<axis: int = 0>(x) q = Softmax<axis: int = 1>(x) r = Add(p, q)"
        " s = Gather(x, i) t = Gather(x, j) u = Concat<axis: int = 0>(r, s, t) y = ReduceSum(u) }"
    )
    share_equal(loaded)
    assert len(loaded.graph) == 7


def test_outputs_of_a_graph_and_of_a_branch_keep_their_nodes() -> None:
    loaded = model(
        "(float[n] x, bool c) => (float[n] y, float[n] z, float[n] w) { y = Abs(x) z = Abs(x) w = If(c)<"
        "then_branch = one () => (float[n] t) { t = Abs(x) },"
        "else_branch = two () => (float[n] u) { v = Abs(x) u = Neg(v) }> }"
    )
    share_equal(loaded)
    assert operators(loaded) == ["Abs", "Abs", "If"]
    assert [node.op_type for node in loaded.graph.all_nodes()] == ["Abs", "Abs", "If", "Abs", "Neg"]
    session = onnxruntime.InferenceSession(ir.to_proto(loaded).SerializeToString())
    x = np.array([-2.0, 3.0], np.float32)
    for taken, sign in ((True, 1), (False, -1)):
        for found, wanted in zip(session.run(None, {"x": x, "c": np.array(taken)}), (1, 1, sign), strict=True):
            np.testing.assert_array_equal(found, wanted * np.abs(x))


def test_two_draws_stay_two() -> None:
    loaded = model("(float[n] x) => (float[n] y) { p = Bernoulli(x) q = Bernoulli(x) y = Add(p, q) }")
    share_equal(loaded)
    assert operators(loaded) == ["Bernoulli", "Bernoulli", "Add"]
