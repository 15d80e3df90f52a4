"""An Identity goes, unless a name or a body needs it: ONNX Runtime is the judge of what is left."""

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime

from isoform.hub import graph
from isoform.hub.passes.drop_identities import drop_identities

X = np.array([-1.5, 2.0], np.float32)


def model(text: str) -> ir.Model:
    return graph.load(onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 19]> main {text}'))


def run(loaded: ir.Model, **feeds: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(ir.to_proto(loaded).SerializeToString())
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def test_identities_in_a_row_vanish_and_the_output_keeps_its_name() -> None:
    loaded = model("(float[n] x) => (float[n] y) { a = Identity(x) b = Abs(a) c = Identity(b) y = Identity(c) }")
    drop_identities(loaded)
    assert [node.op_type for node in loaded.graph] == ["Abs"]
    np.testing.assert_array_equal(run(loaded, x=X)["y"], np.abs(X))


def test_one_value_under_two_names_keeps_both() -> None:
    loaded = model("(float[n] x) => (float[n] a, float[n] b) { a = Abs(x) b = Identity(a) }")
    drop_identities(loaded)
    found = run(loaded, x=X)
    assert sorted(found) == ["a", "b"]
    np.testing.assert_array_equal(found["a"], found["b"])


def test_a_branch_that_gives_out_what_stands_outside_of_it_still_does() -> None:
    loaded = model(
        "(float[n] x, bool c) => (float[n] r) { a = Abs(x) q = Exp(a) b = If(c)<"
        "then_branch = one () => (float[n] t) { t = Identity(a) },"
        "else_branch = two () => (float[n] u) { u = Neg(a) }> r = Add(b, q) }"
    )
    drop_identities(loaded)
    for taken, sign in ((True, 1), (False, -1)):
        found = run(loaded, x=X, c=np.array(taken))["r"]
        np.testing.assert_allclose(found, np.exp(np.abs(X)) + sign * np.abs(X), rtol=1e-6)


def test_a_scan_that_gives_out_its_state_twice_still_does() -> None:
    loaded = model(
        "(float[k,2] x) => (float[2] last, float[k,2] all) <float[2] zero = {0, 0}> { last, all = Scan"
        "<num_scan_inputs: int = 1, body = turn (float[2] s, float[2] e) => (float[2] s_, float[2] o) {"
        " s_ = Add(s, e)  o = Identity(s_) }>(zero, x) }"
    )
    drop_identities(loaded)
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    found = run(loaded, x=x)
    np.testing.assert_array_equal(found["all"], np.cumsum(x, axis=0))
    np.testing.assert_array_equal(found["last"], x.sum(axis=0))
