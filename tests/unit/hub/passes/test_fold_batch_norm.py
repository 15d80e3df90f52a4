"""Batch normalisation folded into the convolution before it: hand-computed numbers, and the same function."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.passes.fold_batch_norm import fold_batch_norm

RNG = np.random.default_rng(3)


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 1.5, shape).astype(np.float32)


def model_of(body: str, **weights: np.ndarray) -> ir.Model:
    text = f'<ir_version: 10, opset_import: ["" : 18]> g (float[n,2,5,5] x) => (float[n,c,h,w] y) {{ {body} }}'
    model = parser.parse_model(text)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in weights.items())
    return graph.load(model)


def statistics(channels: int) -> dict[str, np.ndarray]:
    return {name: floats(channels) for name in ("gamma", "beta", "mean", "variance")}


NORM = "y = BatchNormalization<epsilon=0.001>(c, gamma, beta, mean, variance)"


def test_one_weight_folds_as_the_formula_says() -> None:
    one = {name: np.array([value], np.float32) for name, value in
           (("gamma", 3.0), ("beta", 0.5), ("mean", 2.0), ("variance", 3.999), ("b", 7.0))}  # fmt: skip
    model = model_of(f"c = Conv(x, w, b) {NORM}", w=np.full((1, 2, 1, 1), 10, np.float32), **one)
    fold_batch_norm(model)
    [node] = model.graph
    weight, bias = (node.inputs[index].const_value.numpy() for index in (1, 2))
    np.testing.assert_allclose(weight, 15.0, rtol=1e-6)  # 10 * 3 / sqrt(3.999 + 0.001)
    np.testing.assert_allclose(bias, 8.0, rtol=1e-6)  # 0.5 + (7 - 2) * 1.5


@pytest.mark.parametrize("convolution", ["Conv<pads=[1,1,1,1]>(x, w, b)", "Conv<pads=[1,1,1,1]>(x, w)"])
def test_the_function_stays_the_same(convolution: str) -> None:
    model = model_of(f"c = {convolution} {NORM}", w=floats(4, 2, 3, 3), b=floats(4), **statistics(4))
    before = ir.to_proto(model)
    fold_batch_norm(model)
    assert [node.op_type for node in model.graph] == ["Conv"]
    x = floats(2, 2, 5, 5)
    [wanted], [found] = (ReferenceEvaluator(each).run(None, {"x": x}) for each in (before, ir.to_proto(model)))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_weights_are_rounded_once() -> None:
    weights = {"w": floats(4, 2, 3, 3), "b": floats(4), **statistics(4)}
    model = model_of(f"c = Conv(x, w, b) {NORM}", **weights)
    fold_batch_norm(model)
    wide = {name: array.astype(np.float64) for name, array in weights.items()}
    scale = wide["gamma"] / np.sqrt(wide["variance"] + np.float64(np.float32(0.001)))
    [node] = model.graph
    np.testing.assert_array_equal(
        node.inputs[1].const_value.numpy(), (wide["w"] * scale[:, None, None, None]).astype(np.float32)
    )
    np.testing.assert_array_equal(
        node.inputs[2].const_value.numpy(),
        (wide["beta"] + (wide["b"] - wide["mean"]) * scale).astype(np.float32),
    )


def test_a_convolution_that_another_node_reads_is_left_alone() -> None:
    model = model_of(
        "c = Conv<pads=[1,1,1,1]>(x, w) z = BatchNormalization(c, gamma, beta, mean, variance) y = Add(z, c)",
        w=floats(2, 2, 3, 3), **statistics(2),
    )  # fmt: skip
    fold_batch_norm(model)
    assert [node.op_type for node in model.graph] == ["Conv", "BatchNormalization", "Add"]


def test_channels_last_folds_alike() -> None:
    weights = {"w": floats(4, 2, 3, 3), "b": floats(4), **statistics(4)}
    first, last = (model_of(f"c = Conv(x, w, b) {NORM}", **weights) for _ in range(2))
    for node in last.graph:
        node.domain = CHANNELS_LAST_DOMAIN
    for model in (first, last):
        fold_batch_norm(model)
    [one], [other] = first.graph, last.graph
    assert other.domain == CHANNELS_LAST_DOMAIN
    for index in (1, 2):
        np.testing.assert_array_equal(one.inputs[index].const_value.numpy(), other.inputs[index].const_value.numpy())
