"""The steps of inputs and outputs, read from graphs written as text."""

import onnx
import onnx_ir as ir

from isoform.hub.integer_outputs import steps_of


def model(body: str, inputs: str = "float[n, 4] x", outputs: str = "float[n, 4] y") -> ir.Model:
    constants = "float s = {0.5}, uint8 z = {128}, float t = {0.25}"
    text = f'<ir_version: 10, opset_import: ["": 20]> g ({inputs}) => ({outputs}) <{constants}> {{ {body} }}'
    return ir.from_proto(onnx.parser.parse_model(text))


def test_numbers_made_of_integers_stand_apart_by_their_scale_wherever_they_are_moved() -> None:
    found = steps_of(
        model(
            "q = QuantizeLinear(x, s, z) a = DequantizeLinear(q, s, z) b = Relu(a) c = QuantizeLinear(b, t, z) "
            "d = DequantizeLinear(c, t, z) y = Transpose <perm = [1, 0]> (d)"
        )
    )
    assert found is not None
    assert (found.inputs, found.outputs) == ({"x": 0.5}, {"y": 0.25})


def test_integers_stand_apart_by_one() -> None:
    found = steps_of(
        model("a = DequantizeLinear(x, s, z) b = Relu(a) y = QuantizeLinear(b, t, z)", "uint8[n, 4] x", "uint8[n, 4] y")
    )
    assert found is not None
    assert (found.inputs, found.outputs) == ({"x": 1.0}, {"y": 1.0})


def test_what_is_computed_behind_integers_has_no_step() -> None:
    found = steps_of(model("q = QuantizeLinear(x, s, z) a = DequantizeLinear(q, s, z) y = Softmax(a)"))
    assert found is not None
    assert (found.inputs, found.outputs) == ({"x": 0.5}, {})


def test_a_graph_whose_weights_alone_are_integers_computes_in_numbers() -> None:
    assert steps_of(model("w = DequantizeLinear(z, s, z) y = Add(x, w)")) is None
