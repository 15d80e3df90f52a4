"""Layers in integers against integers computed by hand, and what stands where in the graph."""

from collections import Counter

import numpy as np
import onnx_ir as ir
import pytest

from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.quantized.parameters import dequantizer, described
from isoform.hub.quantize import calibration, quantizer, static
from isoform.hub.quantize.scales import UNSATURATED
from isoform.hub.quantize.units import chosen, layers
from unit.hub.quantize.networks import drawn, model_of, silent, within_a_tenth

RNG = np.random.default_rng(2)


def quantised(model: ir.Model, *shape: int, kept: tuple[str, ...] = ()) -> ir.Model:
    return quantizer.Quantizer(model, drawn(4, *shape), within_a_tenth, silent).graph(kept, is_cut=False)


def operators(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)


def about(value: ir.Value) -> tuple[float, int]:
    found = described(dequantizer(value))
    assert found is not None
    return found.step, found.zero


def numbers(model: ir.Model, x: np.ndarray) -> np.ndarray:
    with calibration.opened(model) as session:
        return np.asarray(session.run(None, {"x": x})[0])


def rounded(x: np.ndarray, step: float, zero: int) -> np.ndarray:
    return np.clip(np.round(x / np.float32(step)) + zero, -128, 127).astype(np.int64)


def test_a_gemm_multiplies_the_integers_that_hand_gives() -> None:
    weight, bias = RNG.standard_normal((3, 6)), RNG.standard_normal(3)
    model = quantised(
        model_of("float[n,6] x", "float[n,3] y", "y = Gemm <transB = 1> (x, w, b)", w=weight, b=bias), 5, 6
    )
    [gemm] = [node for node in model.graph if node.op_type == "Gemm"]
    x = next(iter(drawn(1, 5, 6)()))["x"]
    (step, zero), (out_step, out_zero) = about(gemm.inputs[0]), about(model.graph.outputs[0])
    scales = np.abs(weight.astype(np.float32)).max(axis=1) / UNSATURATED
    integers = np.round(weight.astype(np.float32) / scales[:, None]).astype(np.int64)
    added = np.round(bias / (step * scales)).astype(np.int64)
    total = (rounded(x, step, zero) - zero) @ integers.T + added
    units = np.clip(np.round(total * (step * scales) / out_step) + out_zero, -128, 127)
    np.testing.assert_allclose(numbers(model, x), (units - out_zero) * out_step, atol=1.01 * out_step)
    assert np.mean(np.abs(numbers(model, x) - (units - out_zero) * out_step) < 1e-5) > 0.9
    assert operators(model) == {"QuantizeLinear": 2, "DequantizeLinear": 4, "Gemm": 1}


def test_a_convolution_and_its_clip_are_one_group() -> None:
    weight, top = RNG.standard_normal((4, 3, 1, 1)), np.float32(1.5)
    model = model_of(
        "float[n,3,5,5] x", "float[n,4,5,5] y", "c = Conv(x, w) y = Clip(c, low, high)", w=weight, low=0.0, high=top
    )
    model = quantised(model, 1, 3, 5, 5)
    [conv] = [node for node in model.graph if node.op_type == "Conv"]
    x = next(iter(drawn(1, 1, 3, 5, 5)()))["x"]
    (step, zero), (out_step, out_zero) = about(conv.inputs[0]), about(model.graph.outputs[0])
    assert (out_zero, np.float32(255 * out_step) <= top) == (-128, True)
    scales = np.abs(weight.astype(np.float32)).max(axis=(1, 2, 3)) / UNSATURATED
    integers = np.round(weight[:, :, 0, 0].astype(np.float32) / scales[:, None])
    total = np.einsum("nchw,fc->nfhw", rounded(x, step, zero) - zero, integers) * (step * scales)[:, None, None]
    wanted = np.clip(np.round(total / out_step) + out_zero, -128, 127)
    np.testing.assert_allclose(numbers(model, x), (wanted - out_zero) * out_step, atol=1.01 * out_step)
    assert [node.op_type for node in conv.outputs[0].consumers()] == ["Clip"]


def test_weights_are_stored_as_integers_and_no_float_copy_stays() -> None:
    weight = RNG.standard_normal((4, 3, 3, 3))
    model = quantised(model_of("float[n,3,5,5] x", "float[n,4,3,3] y", "y = Conv(x, w)", w=weight), 1, 3, 5, 5)
    assert "w" not in model.graph.initializers
    [conv] = [node for node in model.graph if node.op_type == "Conv"]
    maker = dequantizer(conv.inputs[1])
    assert maker is not None
    stored, found = constant(maker.inputs[0]), described(maker)
    assert stored is not None
    assert found is not None
    assert (stored.dtype, found.axis) == (np.int8, 0)
    assert np.abs(stored * found.scale.reshape(-1, 1, 1, 1) - weight).max() <= found.scale.max() / 2 * 1.001


RESIDUAL = """
a = Conv <pads = [1, 1, 1, 1]> (x, w)
r = Relu(a)
b = Conv <pads = [1, 1, 1, 1]> (r, v)
s = Add(b, r)
t = Relu(s)
m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (t)
g = GlobalAveragePool(m)
f = Flatten(g)
h = Gemm(f, k)
y = Softmax(h)
"""


def residual() -> ir.Model:
    return model_of(
        "float[n,3,8,8] x", "float[n,5] y", RESIDUAL,
        w=RNG.standard_normal((4, 3, 3, 3)), v=RNG.standard_normal((4, 4, 3, 3)), k=RNG.standard_normal((4, 5)),
    )  # fmt: skip


def test_light_operators_between_layers_are_taken_along_and_the_last_softmax_is_not() -> None:
    model = residual()
    assert [unit.node.op_type for unit in chosen(model.graph, ())] == [
        "Conv", "Conv", "Add", "MaxPool", "GlobalAveragePool", "Flatten", "Gemm",
    ]  # fmt: skip


def test_what_only_moves_keeps_its_scale() -> None:
    model = residual()
    units = chosen(model.graph, ())
    bounds = {str(value.name): (-1.0, 1.0 + place) for place, value in enumerate(static.points(units))}
    found = static.parameters(units, bounds)
    pool = next(unit for unit in units if unit.node.op_type == "MaxPool")
    assert found[pool.data[0]] is found[pool.output]
    assert len({id(each) for each in found.values()}) == len(found) - 2  # MaxPool and Flatten


def test_a_layer_that_is_kept_takes_its_light_operators_along() -> None:
    model = residual()
    [_, second, last] = layers(model.graph)
    kept = chosen(model.graph, {last.name})
    assert [unit.node.op_type for unit in kept] == ["Conv", "Conv"]
    assert [unit.node.op_type for unit in chosen(model.graph, {second.name})] == ["Conv", "Gemm"]


def test_right_sides_of_products_are_around_zero() -> None:
    body = "a = MatMul(x, w) t = Transpose <perm = [0, 2, 1]> (a) y = MatMul(x, t)"
    model = model_of("float[n,4,6] x", "float[n,4,4] y", body, w=RNG.standard_normal((6, 6)))
    own = quantised(model, 1, 4, 6)
    product = [node for node in own.graph if node.op_type == "MatMul"][1]
    assert about(product.inputs[1])[1] == 0


def test_the_rows_of_a_table_are_picked_as_integers() -> None:
    table = RNG.standard_normal((100, 16))
    model = model_of("int64[n,7] x", "float[n,7,16] y", "y = Gather(w, x)", w=table)
    names = static.store_rest(model.graph, ())
    assert len(names) == 1
    assert [node.op_type for node in model.graph] == ["Gather", "DequantizeLinear"]
    x = np.array([[3, 99, 0, 5, 1, 2, 4]])
    step = np.abs(table).max() / 127
    assert np.abs(numbers(model, x) - table[x]).max() <= 0.501 * step


@pytest.mark.parametrize("opset", [13, 18, 21])
def test_the_graph_is_valid(opset: int) -> None:
    import onnx

    weight = RNG.standard_normal((6, 3))
    model = model_of(
        "float[n,6] x", "float[n,3] y", "h = MatMul(x, w) y = Add(h, b)", opset, w=weight, b=RNG.standard_normal(3)
    )
    onnx.checker.check_model(ir.to_proto(quantised(model, 2, 6)), full_check=True)
