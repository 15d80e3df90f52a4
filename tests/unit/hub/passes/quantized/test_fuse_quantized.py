"""What becomes of quantised operators, on graphs written as text: which ones fuse, and what is noted of integers."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from isoform.hub.emitters.registry import QUANTIZED_DOMAIN
from isoform.hub.passes.quantized import fuse_quantized, noted

CONSTANTS = (
    "float s = {0.5}, float t = {0.25}, float fine = {0.015625}, float fixed = {0.00390625}, uint8 z = {100}, "
    "uint8 none = {0}, float six = {6}, float low = {0}, float half = {0.5}, int64[2] flat = {0, -1}"
)
PAIR = "a = DequantizeLinear(x, s, z) b = DequantizeLinear(w, s, z) "


def fused(body: str, inputs: str = "uint8[n, 4] x, uint8[n, 4] w", outputs: str = "uint8[n, 4] y") -> ir.Model:
    text = f'<ir_version: 10, opset_import: ["": 20]> g ({inputs}) => ({outputs}) <{CONSTANTS}> {{ {body} }}'
    model = ir.from_proto(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text)))
    fuse_quantized(model)
    return model


def kinds(model: ir.Model) -> list[str]:
    return [node.op_type if node.domain == QUANTIZED_DOMAIN else f"{node.op_type}!" for node in model.graph]


def the(model: ir.Model, op_type: str) -> ir.Node:
    [found] = [node for node in model.graph if node.op_type == op_type]
    return found


def test_an_operator_between_the_two_reads_and_writes_signed_integers() -> None:
    model = fused(PAIR + "c = Add(a, b) y = QuantizeLinear(c, t, z)")
    assert kinds(model) == ["Requantize", "Requantize", "Add", "Requantize"]
    add = the(model, "Add")
    for value, scale in ((add.inputs[0], 0.5), (add.inputs[1], 0.5), (add.outputs[0], 0.25)):
        found = noted(value)
        assert found is not None
        assert (found.dtype, found.step, found.zero) == ("int8", scale, 100 - 128)
    assert [value.dtype for value in model.graph.outputs] == [ir.DataType.UINT8]
    assert model.graph.outputs[0].name == "y"


@pytest.mark.parametrize(
    ("activation", "scale", "zero", "wanted"),
    [
        ("Relu(c)", "t", "z", "RELU"),
        ("Clip(c, low, six)", "t", "z", "RELU6"),
        ("Clip(c, low, six)", "fine", "none", "NONE"),
        ("Relu(c)", "t", "none", "RELU"),
    ],
)
def test_an_activation_is_fused_or_left_to_the_range(activation: str, scale: str, zero: str, wanted: str) -> None:
    model = fused(PAIR + f"c = Add(a, b) d = {activation} y = QuantizeLinear(d, {scale}, {zero})")
    assert the(model, "Add").attributes["activation"].as_string() == wanted


@pytest.mark.parametrize(
    "body",
    [
        "c = Add(a, b) d = Clip(c, low, half) y = QuantizeLinear(d, t, z)",
        "c = Sigmoid(a) y = QuantizeLinear(c, t, z)",
        "c = Softmax <axis = 0> (a) y = QuantizeLinear(c, fixed, none)",
        "c = Max(a, b) y = QuantizeLinear(c, t, z)",
        "c = Exp(a) y = QuantizeLinear(c, t, z)",
        "c = Add(a, b) y = QuantizeLinear(c, fixed, none)",
    ],
    ids=["clip", "range", "axis", "scales", "no kernel", "overflow"],
)
def test_what_does_not_fit_a_kernel_keeps_its_numbers(body: str) -> None:
    model = fused(PAIR + body)
    assert not any(node.domain == QUANTIZED_DOMAIN for node in model.graph)
    assert noted(model.graph.outputs[0]) is None


def test_a_result_that_is_read_as_numbers_too_keeps_them() -> None:
    model = fused(PAIR + "c = Add(a, b) y = QuantizeLinear(c, t, z) r = Exp(c)", outputs="uint8[n, 4] y, float[n, 4] r")
    assert "Add!" in kinds(model)


def test_moving_operators_come_to_move_integers() -> None:
    model = fused(
        PAIR + "c = Add(a, b) d = Transpose <perm = [1, 0]> (c) e = Reshape(d, flat) y = QuantizeLinear(e, t, z)"
    )
    assert kinds(model) == ["Requantize", "Requantize", "Add", "Transpose!", "Reshape!", "Requantize"]
    found = noted(the(model, "Reshape").outputs[0])
    assert found is not None
    assert found.same_as(noted(the(model, "Add").outputs[0]))
    assert the(model, "Reshape").outputs[0].dtype == ir.DataType.INT8


def test_a_quantisation_that_only_undoes_one_goes() -> None:
    model = fused("a = DequantizeLinear(x, s, z) c = Transpose <perm = [1, 0]> (a) y = QuantizeLinear(c, s, z)")
    assert kinds(model) == ["Transpose!"]
    assert model.graph.outputs[0].dtype == ir.DataType.UINT8


def test_integers_that_two_nodes_read_otherwise_are_read_as_numbers_by_one() -> None:
    model = fused(
        "q = QuantizeLinear(x, s, z) a = DequantizeLinear(q, t, z) c = Relu(a) y = QuantizeLinear(c, t, z)",
        inputs="float[n, 4] x",
    )
    assert "Relu!" in kinds(model)


def test_a_number_is_held_exactly_by_an_integer() -> None:
    model = fused("a = DequantizeLinear(x, s, z) c = Mul(a, half) y = QuantizeLinear(c, t, z)", "uint8[n, 4] x")
    held = the(model, "Mul").inputs[1]
    assert held is not None
    assert held.const_value is not None
    found = noted(held)
    assert found is not None
    assert held.const_value.numpy() * found.scale == np.float32(0.5)
