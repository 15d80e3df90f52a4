"""Scales of attention: in the layers before it, or one for both sides of the product."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.fold_scale import fold_scale

RNG = np.random.default_rng(2)
WEIGHTS = {
    "k": RNG.standard_normal((6, 8)).astype(np.float32), "b": RNG.standard_normal(8).astype(np.float32),
    "f": np.array(0.3, np.float32), "g": np.array([0.7], np.float32), "tiny": np.array(1e-9, np.float32),
    "heads": np.array([0, 0, 2, 4]),
}  # fmt: skip


def factors(body: str) -> list[float]:
    """Return the numbers that something is still multiplied by, the function seen to be the same."""
    sides = "(float[n,3,6] x, float[n,2,3,4] q, float[n,2,4,3] r) => (float[a,c,d,e] y)"
    proto = parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]> g {sides} {{ {body} }}')
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in WEIGHTS.items())
    model = graph.load(proto)
    graph.infer_shapes(model)
    fold_scale(model)
    feeds = {
        value.name: RNG.random([2 if isinstance(dim, ir.SymbolicDim) else dim for dim in value.shape or ()], np.float32)
        for value in model.graph.inputs
    }
    wanted, found = (ReferenceEvaluator(each).run(None, feeds)[0] for each in (proto, ir.to_proto(model)))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    scalings = [node for node in model.graph if node.op_type in ("Mul", "Div")]
    return [round(float(node.inputs[1].const_value.numpy().item()), 4) for node in scalings]


@pytest.mark.parametrize(
    "layer",
    ["p = MatMul(x, k)  l = Add(p, b)", "p = MatMul(x, k)  l = Add(b, p)", "l = MatMul(x, k)"],
    ids=["a bias behind", "a bias before", "no bias"],
)
@pytest.mark.parametrize("scale", ["Mul(t, f)", "Div(t, g)"])
def test_a_scale_goes_into_the_layer_that_is_moved_before_it(layer: str, scale: str) -> None:
    assert (
        factors(f"{layer}  h = Reshape(l, heads)  t = Transpose <perm = [0, 2, 1, 3]> (h)  s = {scale}  y = Abs(s)")
        == []
    )


def test_of_two_scales_beside_a_product_one_is_left() -> None:
    assert factors("s = Mul(q, f)  t = Mul(r, g)  y = MatMul(s, t)") == [0.21]
    assert factors("s = Div(q, f)  t = Mul(r, g)  y = MatMul(s, t)") == [2.3333]


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("l = MatMul(x, k)  h = Reshape(l, heads)  s = Mul(h, f)  y = Add(s, h)", [0.3]),
        ("l = MatMul(x, k)  h = Reshape(l, heads)  s = Mul(h, tiny)  y = Abs(s)", [0.0]),
        ("l = MatMul(x, k)  h = Reshape(l, heads)  e = Abs(h)  s = Mul(e, f)  y = Abs(s)", [0.3]),
        ("s = Mul(q, f)  t = Mul(r, g)  p = MatMul(s, t)  u = MatMul(s, r)  y = Add(p, u)", [0.3, 0.7]),
    ],
    ids=["the layer is read elsewhere", "a factor far from one", "more than a move", "a side that is read elsewhere"],
)
def test_anything_else_stays(body: str, left: list[float]) -> None:
    assert factors(body) == left
