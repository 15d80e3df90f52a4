"""The scale and bias of a layer normalisation, folded into what reads it: the same function by ONNX' reference."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.fold_layer_norm import fold_layer_norm

RNG = np.random.default_rng(5)
NORM = "n = LayerNormalization<axis=-1, epsilon=0.001>(x, gamma, beta)"


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 1.5, shape).astype(np.float32)


WEIGHTS = {
    **{name: floats(6) for name in ("gamma", "beta")},
    **{name: floats(6, 4) for name in ("wq", "wk")},
    **{name: floats(4) for name in ("bq", "bk")},
    "rows": np.array([-1, 6]),
}


def folded(body: str, outputs: str = "float[n,3,4] y") -> ir.Model:
    """Return the folded model, its function seen to be the same."""
    proto = parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 23]> g (float[n,3,6] x) => ({outputs}) {{ {body} }}'
    )
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in WEIGHTS.items())
    model = graph.load(proto)
    graph.infer_shapes(model)
    fold_layer_norm(model)
    x = floats(2, 3, 6)
    for wanted, found in zip(
        *(ReferenceEvaluator(each).run(None, {"x": x}) for each in (proto, ir.to_proto(model))), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    return model


def scale_of(model: ir.Model) -> np.ndarray:
    return model.graph[0].inputs[1].const_value.numpy()


@pytest.mark.parametrize(
    "body",
    [
        f"{NORM} y = MatMul(n, wq)",
        f"{NORM} q = MatMul(n, wq) y = Add(bq, q)",
        f"{NORM} q = MatMul(n, wq) k = MatMul(n, wk) a = Add(q, bq) b = Add(k, bk) y = Mul(a, b)",
        f"{NORM} t = Transpose<perm=[1,0,2]>(n) q = MatMul(t, wq) y = Transpose<perm=[1,0,2]>(q)",
        "n = RMSNormalization<axis=-1, epsilon=0.001>(x, gamma) y = MatMul(n, wq)",
    ],
)
def test_products_take_scale_and_bias(body: str) -> None:
    model = folded(body)
    np.testing.assert_array_equal(scale_of(model), np.ones(6))
    assert len(model.graph[0].inputs) == 2


def test_a_product_of_rows_takes_them_through_the_reshape() -> None:
    model = folded(f"{NORM} r = Reshape(n, rows) y = Gemm(r, wq, bq)", "float[m,4] y")
    np.testing.assert_array_equal(scale_of(model), np.ones(6))


@pytest.mark.parametrize(
    ("body", "outputs"),
    [
        (f"{NORM} q = MatMul(n, wq) y = Relu(q) z = Add(n, x)", "float[n,3,4] y, float[n,3,6] z"),
        (f"{NORM} y = MatMul(n, wq)", "float[n,3,4] y, float[n,3,6] n"),
        (f"{NORM} t = Transpose<perm=[0,2,1]>(n) y = MatMul(t, n)", "float[n,6,6] y"),
        (f"{NORM} t = Transpose<perm=[0,2,1]>(x) y = MatMul(t, n)", "float[n,6,6] y"),
    ],
)
def test_nothing_changes_where_anything_else_reads_the_normalisation(body: str, outputs: str) -> None:
    np.testing.assert_array_equal(scale_of(folded(body, outputs)), WEIGHTS["gamma"])
