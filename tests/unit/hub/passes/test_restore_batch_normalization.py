"""Batch normalisation written out, with and without its scale and offset, becomes the operator: same numbers."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph as hub_graph
from isoform.hub.passes.restore_batch_normalization import restore_batch_normalization

RNG = np.random.default_rng(0)
VALUES = {name: RNG.uniform(0.5, 1.5, 3).astype(np.float32) for name in ("gamma", "beta", "mean", "variance")}
ALL = """
    scale = Mul(inverse, gamma)
    scaled = Mul(x, scale)
    moved = Mul(mean, scale)
    shift = Sub(beta, moved)
"""
NO_SCALE = """
    scaled = Mul(x, inverse)
    moved = Mul(mean, inverse)
    shift = Sub(beta, moved)
"""
NO_OFFSET = """
    scale = Mul(gamma, inverse)
    scaled = Mul(x, scale)
    negative = Neg(mean)
    shift = Mul(negative, scale)
"""


def model(body: str) -> onnx.ModelProto:
    text = f"""<ir_version: 9, opset_import: ["" : 18]>
    g (float[n, 2, 3] x, float[3] gamma, float[3] beta, float[3] mean, float[3] variance) => (float[n, 2, 3] y) {{
    epsilon = Constant <value = float {{0.001}}> ()
    sum = Add(variance, epsilon)
    root = Sqrt(sum)
    inverse = Reciprocal(root)
    {body}
    y = Add(scaled, shift)
    }}"""
    return onnx.parser.parse_model(text)


@pytest.mark.parametrize("body", [ALL, NO_SCALE, NO_OFFSET], ids=["all", "no scale", "no offset"])
def test_the_operator_gives_the_same_numbers(body: str) -> None:
    before = model(body)
    graph = ir.from_proto(before)
    hub_graph.infer_shapes(graph)
    restore_batch_normalization(graph)
    assert [node.op_type for node in graph.graph].count("BatchNormalization") == 1
    feed = {"x": RNG.standard_normal((4, 2, 3)).astype(np.float32), **VALUES}
    (wanted,) = ReferenceEvaluator(before).run(None, feed)
    (found,) = ReferenceEvaluator(ir.to_proto(graph)).run(None, feed)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_another_mean_in_the_shift_is_no_batch_normalization() -> None:
    graph = ir.from_proto(model(ALL.replace("Mul(mean, scale)", "Mul(mean, inverse)")))
    hub_graph.infer_shapes(graph)
    restore_batch_normalization(graph)
    assert "BatchNormalization" not in [node.op_type for node in graph.graph]
