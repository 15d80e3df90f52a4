"""A known condition leaves one branch, its names and its outputs in order: ONNX Runtime runs what is left."""

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime
import pytest

from isoform.hub import graph
from isoform.hub.passes.simplify import simplify
from isoform.hub.passes.take_branches import take_branches

X = np.array([-1.5, 2.0], np.float32)


def model(text: str) -> ir.Model:
    return graph.load(onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 19]> main {text}'))


def run(loaded: ir.Model, **feeds: np.ndarray) -> list[np.ndarray]:
    proto = ir.to_proto(loaded)
    onnx.checker.check_model(proto)
    return onnxruntime.InferenceSession(proto.SerializeToString()).run(None, feeds)


def operators(loaded: ir.Model) -> list[str]:
    return [node.op_type for node in loaded.graph]


def test_a_known_condition_leaves_one_branch() -> None:
    loaded = model(
        "(float[n] x) => (float[n] y) <bool c = {0}> { z = If(c)<"
        "then_branch = one () => (float[n] a) { a = Neg(x) },"
        "else_branch = two () => (float[n] b) { b = Abs(x) }>  y = Exp(z) }"
    )
    assert take_branches(loaded)
    assert operators(loaded) == ["Abs", "Exp"]
    assert not take_branches(loaded)


def test_branches_that_use_the_same_names_do_not_collide() -> None:
    branches = (
        "then_branch = one () => (float[n] t) <float w = {%d}> { u = Mul(x, w) t = Neg(u) },"
        "else_branch = two () => (float[n] t) { t = Abs(x) }"
    )
    loaded = model(
        "(float[n] x) => (float[n] y) <bool c = {1}> { p = If(c)<" + branches % 2 + "> q = If(c)<" + branches % 3 + ">"
        " y = Sub(p, q) }"
    )
    assert take_branches(loaded)
    np.testing.assert_array_equal(run(loaded, x=X)[0], X)


def test_an_output_keeps_its_name_when_its_branch_gives_an_input() -> None:
    loaded = model(
        "(float[n] x) => (float[n] y, float[n] z) <bool c = {1}> { y, z = If(c)<"
        "then_branch = one () => (float[n] a, float[n] b) { a = Identity(x) b = Neg(x) },"
        "else_branch = two () => (float[n] d, float[n] e) { d = Abs(x) e = Abs(x) }> }"
    )
    simplify(loaded)
    assert "If" not in operators(loaded)
    assert [value.name for value in loaded.graph.outputs] == ["y", "z"]
    for found, wanted in zip(run(loaded, x=X), (X, -X), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("taken", [True, False])
def test_a_branch_inside_a_branch_is_taken_too(taken: bool) -> None:
    inner = (
        "If(d)<then_branch = three () => (float[n] i) { i = Exp(x) },"
        " else_branch = four () => (float[n] j) { j = Abs(x) }>"
    )
    loaded = model(
        "(float[n] x, bool c) => (float[n] y) <bool d = {1}> { y = If(c)<"
        f"then_branch = one () => (float[n] a) {{ k = {inner} a = Neg(k) }},"
        "else_branch = two () => (float[n] b) { b = Abs(x) }> }"
    )
    simplify(loaded)
    assert [node.op_type for node in loaded.graph.all_nodes()].count("If") == 1
    wanted = -np.exp(X) if taken else np.abs(X)
    np.testing.assert_allclose(run(loaded, x=X, c=np.array(taken))[0], wanted, rtol=1e-6)
