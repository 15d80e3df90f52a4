"""Products over the last axis given back: the same function by ONNX' reference, and fewer operators."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.restore_matmul import restore_matmul
from isoform.hub.passes.simplify import simplify

RNG = np.random.default_rng(7)
WEIGHTS = {
    "w": RNG.normal(size=(6, 8)).astype(np.float32),
    "v": RNG.normal(size=(8, 6)).astype(np.float32),
    "b": RNG.normal(size=8).astype(np.float32),
    "heads": RNG.normal(size=(2, 4)).astype(np.float32),
    "rows": np.array([-1, 6]),
    "back": np.array([-1, 3, 8]),
    "wrong": np.array([3, -1, 8]),
    "split": np.array([-1, 3, 2, 4]),
    "free": np.array([0, 1]),
    "last": np.array([2]),
    "eight": np.array([8]),
    "first": np.array([0]),
}
TENSORDOT = """
    s = Shape(x) inner = Gather<axis=0>(s, last) k = ReduceProd<keepdims=0>(inner) k1 = Unsqueeze(k, first)
    outer = Gather<axis=0>(s, free) m = ReduceProd<keepdims=0>(outer) m1 = Unsqueeze(m, first)
    flat = Concat<axis=0>(m1, k1) full = Concat<axis=0>(outer, eight)
    r = Reshape(x, flat) p = MatMul(r, w)
"""


def restored(body: str, dims: str = "n,3,6", outputs: str = "n,3,8") -> list[str]:
    """Return the operators left, the function seen to be the same."""
    proto = parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 18]> g (float[{dims}] x) => (float[{outputs}] y) {{ {body} }}'
    )
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in WEIGHTS.items())
    model = graph.load(proto)
    simplify(model)
    graph.infer_shapes(model)
    restore_matmul(model)
    simplify(model)
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    for steps in (3, 5) if "m" in dims.split(",") else (3,):
        x = RNG.normal(size=(2, steps, 6)).astype(np.float32)
        [wanted], [found] = (ReferenceEvaluator(each).run(None, {"x": x}) for each in (proto, ir.to_proto(model)))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize(("dims", "outputs"), [("n,3,6", "n,3,8"), ("n,m,6", "n,m,8")])
def test_tensordot_spelled_out_is_a_product(dims: str, outputs: str) -> None:
    assert restored(f"{TENSORDOT} y = Reshape(p, full)", dims, outputs) == ["MatMul"]
    assert restored(f"{TENSORDOT} q = Reshape(p, full) y = Add(q, b)", dims, outputs) == ["MatMul", "Add"]


@pytest.mark.parametrize("layer", ["Gemm(r, w, b)", "Gemm<transB=1>(r, v, b)"])
def test_a_product_of_rows_with_a_bias_is_one_over_the_last_axis(layer: str) -> None:
    assert restored(f"r = Reshape(x, rows) p = {layer} y = Reshape(p, back)") == ["MatMul", "Add"]


def test_a_product_that_comes_back_with_other_axes_stays() -> None:
    found = restored("r = Reshape(x, rows) p = MatMul(r, w) y = Reshape(p, wrong)", outputs="three,n,8")
    assert found == ["Reshape", "MatMul", "Reshape"]


def test_a_gemm_with_a_factor_stays() -> None:
    found = restored("r = Reshape(x, rows) p = Gemm<alpha=0.5>(r, w, b) y = Reshape(p, back)")
    assert found == ["Reshape", "Gemm", "Reshape"]


def test_a_bias_of_heads_is_added_before_the_split() -> None:
    found = restored("p = MatMul(x, w) s = Reshape(p, split) y = Add(heads, s)", outputs="n,3,2,4")
    assert found == ["MatMul", "Add", "Reshape"]
