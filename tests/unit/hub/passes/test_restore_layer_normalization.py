"""Layer normalisation given back from every spelling: the same function by ONNX' reference, one operator."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.restore_layer_normalization import restore_layer_normalization

RNG = np.random.default_rng(11)
WEIGHTS = {
    "axes": np.array([-1]),
    "both": np.array([1, 2]),
    "middle": np.array([1]),
    "e": np.array(1e-3, np.float32),
    "one": np.array(1, np.float32),
    "two": np.array(2, np.float32),
    "half": np.array(0.5, np.float32),
    "g": RNG.uniform(0.5, 1.5, (1, 1, 6)).astype(np.float32),
    "b": RNG.uniform(0.5, 1.5, (1, 1, 6)).astype(np.float32),
    "gg": RNG.uniform(0.5, 1.5, (3, 6)).astype(np.float32),
    "bb": RNG.uniform(0.5, 1.5, (3, 6)).astype(np.float32),
}
MOMENTS = """
    m = ReduceMean<keepdims=1>(x, axes) d = Sub(x, m) q = Mul(d, d) v = ReduceMean<keepdims=1>(q, axes)
    w = Add(v, e) s = Sqrt(w)
"""
POWER = MOMENTS.replace("Mul(d, d)", "Pow(d, two)")
SQUARES = "q = Mul(x, x) v = ReduceMean<keepdims=1>(q, axes) w = Add(e, v) s = Sqrt(w)"


def restored(body: str, **arguments: bool) -> list[ir.Node]:
    """Return the nodes left, the function seen to be the same."""
    proto = parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 23]> g (float[n,3,6] x) => (float[n,3,6] y) {{ {body} }}'
    )
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in WEIGHTS.items())
    model = graph.load(proto)
    graph.infer_shapes(model)
    restore_layer_normalization(model, **arguments)
    after = ir.to_proto(model)
    onnx.checker.check_model(after, full_check=True)
    x = RNG.normal(size=(2, 3, 6)).astype(np.float32)
    [wanted], [found] = (ReferenceEvaluator(each).run(None, {"x": x}) for each in (proto, after))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    return list(model.graph)


@pytest.mark.parametrize(
    ("body", "inputs"),
    [
        ("r = Reciprocal(s) f = Mul(r, g) a = Mul(x, f) k = Neg(m) c = Mul(k, f) h = Add(c, b) y = Add(a, h)", 3),
        ("r = Reciprocal(s) f = Mul(g, r) a = Mul(f, x) c = Mul(m, f) h = Sub(b, c) y = Add(h, a)", 3),
        ("f = Reciprocal(s) a = Mul(x, f) k = Neg(m) c = Mul(k, f) y = Add(a, c)", 2),
        ("f = Reciprocal(s) a = Mul(x, f) c = Mul(m, f) y = Sub(a, c)", 2),
        ("i = Div(one, s) n = Mul(d, i) z = Mul(n, g) y = Add(z, b)", 3),
        ("r = Reciprocal(s) f = Mul(r, g) z = Mul(d, f) y = Add(z, b)", 3),
        ("n = Div(d, s) z = Mul(n, g) y = Add(b, z)", 3),
        ("n = Div(d, s) y = Mul(g, n)", 2),
        ("y = Div(d, s)", 2),
    ],
)
@pytest.mark.parametrize("moments", [MOMENTS, POWER])
def test_every_spelling_is_one_operator(moments: str, body: str, inputs: int) -> None:
    [node] = restored(f"{moments} {body}")
    assert (node.op_type, len(node.inputs), node.attributes["axis"].as_int()) == ("LayerNormalization", inputs, -1)


def test_parameters_are_the_initialisers_themselves_without_axes_of_one() -> None:
    [node] = restored(f"{MOMENTS} n = Div(d, s) z = Mul(n, g) y = Add(z, b)")
    assert [value.name for value in node.inputs] == ["x", "g", "b"]
    np.testing.assert_array_equal(node.inputs[1].const_value.numpy(), WEIGHTS["g"].reshape(6))


def test_several_last_axes_are_normalised_together() -> None:
    body = f"{MOMENTS} n = Div(d, s) z = Mul(n, gg) y = Add(z, bb)".replace("axes)", "both)")
    [node] = restored(body)
    assert node.attributes["axis"].as_int() == -2


@pytest.mark.parametrize("body", ["n = Div(x, s) y = Mul(n, g)", "r = Reciprocal(s) n = Mul(x, r) y = Mul(n, g)"])
def test_the_root_of_the_mean_square_is_given_back_where_it_is_wanted(body: str) -> None:
    assert [node.op_type for node in restored(f"{SQUARES} {body}", has_root_mean_square=True)] == ["RMSNormalization"]
    assert "RMSNormalization" not in [node.op_type for node in restored(f"{SQUARES} {body}")]


@pytest.mark.parametrize(
    "body",
    [
        f"{MOMENTS} n = Div(d, s) z = Mul(n, gg) y = Add(z, b)",  # a scale that differs from row to row
        f"{MOMENTS} n = Div(d, s) y = Mul(n, g)".replace("axes)", "middle)"),
        f"{MOMENTS} n = Div(x, s) y = Mul(n, g)",  # x is not centred
        f"{MOMENTS} n = Div(d, w) y = Mul(n, g)",  # by the variance, not its root
        f"{MOMENTS} n = Div(d, s) y = Mul(n, g)".replace("d = Sub(x, m)", "d = Sub(m, x)"),
        f"{MOMENTS} f = Reciprocal(s) a = Mul(x, f) c = Mul(d, f) y = Sub(a, c)",
        f"{MOMENTS} f = Reciprocal(s) a = Mul(x, f) c = Mul(m, f) y = Sub(c, a)",
    ],
)
def test_what_only_looks_like_it_stays(body: str) -> None:
    kinds = [node.op_type for node in restored(body)]
    inner = "LayerNormalization" in kinds  # a part may be one without scale
    assert len(kinds) > 1
    assert not inner or "Mul" in kinds
