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


def operators_after_folding(body: str, shape: tuple[int, ...], **weights: np.ndarray) -> list[str]:
    """Return what is left of a graph of x and y of two or more axes, once its function is seen to be the same."""
    names = [f"a{axis}" for axis in range(1, len(shape))]
    dims = ",".join(["n", *map(str, shape[1:])])
    text = (
        f'<ir_version: 10, opset_import: ["" : 18]> g (float[{dims}] x) => (float[n,{",".join(names)}] y) {{ {body} }}'
    )
    proto = parser.parse_model(text)
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in weights.items())
    model = graph.load(proto)
    graph.infer_shapes(model)
    fold_batch_norm(model)
    x = floats(*shape)
    [wanted], [found] = (
        ReferenceEvaluator(ungrouped(each)).run(None, {"x": x}) for each in (proto, ir.to_proto(model))
    )
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-5)
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    return [node.op_type for node in model.graph]


def ungrouped(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return ``model`` with zeros between groups of a transposed convolution: ONNX' reference has no groups there."""
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    for node in plain.graph.node:
        groups = [attribute for attribute in node.attribute if attribute.name == "group"]
        if node.op_type == "ConvTranspose" and groups:
            [tensor] = (each for each in plain.graph.initializer if each.name == node.input[1])
            parts = np.split(onnx.numpy_helper.to_array(tensor), groups[0].i)
            height, width = parts[0].shape[:2]
            whole = np.zeros((height * len(parts), width * len(parts), *parts[0].shape[2:]), np.float32)
            for place, part in enumerate(parts):
                whole[place * height :][:height, place * width :][:, :width] = part
            tensor.CopyFrom(onnx.numpy_helper.from_array(whole, tensor.name))
            groups[0].i = 1
    return plain


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


IMAGE = (2, 4, 5, 5)
FACTORS = {"s": floats(4, 1, 1), "t": floats(4, 1, 1)}


@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("bias", ["", ", b"])
def test_transposed_convolution_folds_group_by_group(group: int, bias: str) -> None:
    body = f"c = ConvTranspose<group={group}, strides=[2,2]>(x, w{bias}) {NORM}"
    weights = {"w": floats(4, 6 // group if group < 4 else 2, 3, 3)}
    channels = weights["w"].shape[1] * group
    found = operators_after_folding(body, IMAGE, **weights, b=floats(channels), **statistics(channels))
    assert found == ["ConvTranspose"]


@pytest.mark.parametrize("layer", ["Gemm(x, w, b)", "Gemm(x, w)", "Gemm<transB=1>(x, v, b)", "MatMul(x, w)"])
def test_a_dense_layer_folds(layer: str) -> None:
    weights = {"w": floats(4, 6), "v": floats(6, 4), "b": floats(6), **statistics(6)}
    found = operators_after_folding(f"c = {layer} {NORM}", (2, 4), **weights)
    assert found == (["MatMul", "Add"] if "MatMul" in layer else ["Gemm"])


def test_a_product_and_its_bias_fold_through_the_reshape_that_normalisation_needs() -> None:
    body = f"m = MatMul(x, w) d = Add(b, m) c = Reshape(d, flat) {NORM.replace('y', 'z')} y = Reshape(z, back)"
    sizes = {"flat": np.array([-1, 6]), "back": np.array([-1, 3, 6])}
    found = operators_after_folding(body, (2, 3, 4), w=floats(4, 6), b=floats(6), **sizes, **statistics(6))
    assert found == ["MatMul", "Add", "Reshape", "Reshape"]


@pytest.mark.parametrize("chain", ["y = Mul(c, s)", "d = Mul(s, c) y = Add(d, t)", "d = Div(c, s) y = Sub(d, t)"])
def test_factors_and_summands_after_a_convolution_fold(chain: str) -> None:
    assert operators_after_folding(
        f"c = Conv(x, w, b) {chain}", IMAGE, w=floats(4, 4, 3, 3), b=floats(4), **FACTORS
    ) == ["Conv"]


def test_a_summand_becomes_the_bias_of_a_layer_without_one_only() -> None:
    weights = {"w": floats(4, 4, 3, 3), "b": floats(4), **FACTORS}
    assert operators_after_folding("c = Conv(x, w) y = Add(c, t)", IMAGE, **weights) == ["Conv"]
    assert operators_after_folding("c = Conv(x, w, b) y = Add(c, t)", IMAGE, **weights) == ["Conv", "Add"]


@pytest.mark.parametrize("factor", [floats(1), floats(1, 5), floats(2, 4, 1, 1), floats(4, 5, 5)])
def test_what_is_no_factor_of_each_channel_stays(factor: np.ndarray) -> None:
    body = "c = Conv<pads=[1,1,1,1]>(x, w) y = Mul(c, s)"
    assert operators_after_folding(body, IMAGE, w=floats(4, 4, 3, 3), s=factor) == ["Conv", "Mul"]


def test_a_layer_is_folded_once() -> None:
    body = f"c = Conv(x, w) {NORM.replace('y =', 'z =')} y = Mul(z, s)"
    assert operators_after_folding(body, IMAGE, w=floats(4, 4, 3, 3), **FACTORS, **statistics(4)) == ["Conv", "Mul"]


@pytest.mark.parametrize("group", [1, 2, 4])
def test_normalisation_before_a_convolution_folds_where_nothing_is_padded(group: int) -> None:
    weights = {"w": floats(4, 4 // group, 3, 3), "b": floats(4), **statistics(4)}
    norm = NORM.replace("y", "z").replace("(c,", "(x,")
    assert operators_after_folding(f"{norm} y = Conv<group={group}>(z, w, b)", IMAGE, **weights) == ["Conv"]
    padded = f"{norm} y = Conv<group={group}, pads=[1,0,0,0]>(z, w, b)"
    assert operators_after_folding(padded, IMAGE, **weights) == ["BatchNormalization", "Conv"]


def test_factors_before_a_padded_or_transposed_convolution_fold_without_a_summand() -> None:
    weights = {"w": floats(4, 2, 3, 3), **FACTORS}
    for layer in ("ConvTranspose<group=2, pads=[1,1,1,1]>(z, w)", 'Conv<group=2, auto_pad="SAME_UPPER">(z, w)'):
        assert operators_after_folding(f"z = Mul(x, s) y = {layer}", IMAGE, **weights) == [layer.split("<")[0]]


def test_normalisation_before_a_dense_layer_folds() -> None:
    norm = NORM.replace("y", "z").replace("(c,", "(x,")
    weights = {"w": floats(4, 6), "b": floats(6), **statistics(4)}
    assert operators_after_folding(f"{norm} m = MatMul(z, w) y = Add(m, b)", (2, 4), **weights) == ["MatMul", "Add"]
    assert operators_after_folding(f"{norm} y = Gemm(z, w)", (2, 4), **weights) == ["Gemm"]


def test_normalisation_in_training_mode_stays() -> None:
    body = f"c = Conv(x, w) {NORM.replace('<', '<training_mode=1, ')}"
    model = model_of(body, w=floats(2, 2, 3, 3), **statistics(2))
    fold_batch_norm(model)
    assert [node.op_type for node in model.graph] == ["Conv", "BatchNormalization"]
