"""Multiply-accumulates by hand, and who computes them."""

import numpy as np
import onnx_ir as ir
import pytest

from isoform.hub.quantize.arithmetic import arithmetic
from isoform.hub.quantize.quantizer import Quantizer, without_samples
from unit.hub.quantize.networks import drawn, model_of, silent, within_a_tenth

RNG = np.random.default_rng(0)


def network() -> ir.Model:
    body = "a = Conv <pads = [1, 1, 1, 1]> (x, w) r = Relu(a) g = GlobalAveragePool(r) f = Flatten(g) y = Gemm(f, k)"
    return model_of(
        "float[n,3,8,8] x", "float[n,5] y", body, w=RNG.standard_normal((4, 3, 3, 3)), k=RNG.standard_normal((4, 5))
    )


CONV, GEMM = 4 * 8 * 8 * 3 * 9, 4 * 5
SHAPES = {"x": (1, 3, 8, 8)}


def test_a_float_graph_has_none_of_integers() -> None:
    found = arithmetic(network(), "onnx", SHAPES)
    assert (found.macs, found.integer_macs, found.share) == (CONV + GEMM, 0, 0)


@pytest.mark.parametrize("format_name", ["onnx", "tflite"])
def test_a_calibrated_graph_has_all_but_what_is_kept(format_name: str) -> None:
    model = network()
    made = Quantizer(model, drawn(2, 1, 3, 8, 8), within_a_tenth, silent)
    assert arithmetic(made.graph((), False), format_name, SHAPES).share == 1
    [conv, gemm] = [str(node.name) for node in model.graph if node.op_type in ("Conv", "Gemm")]
    found = arithmetic(made.graph((gemm,), False), format_name, SHAPES)
    assert (found.integer_macs, dict(found.in_float)) == (CONV, {gemm: GEMM})
    assert arithmetic(made.graph((conv, gemm), False), format_name, SHAPES).share == 0


def test_a_convolution_without_calibration_is_of_integers_on_litert_alone() -> None:
    graph = without_samples(network(), ())
    assert arithmetic(graph, "onnx", SHAPES).integer_macs == GEMM
    assert arithmetic(graph, "tflite", SHAPES).share == 1


def test_a_recurrent_layer_multiplies_both_weights_at_each_step() -> None:
    model = model_of(
        "float[t,n,6] x", "float[t,1,n,8] y", "y = LSTM <hidden_size = 8> (x, w, r)",
        w=RNG.standard_normal((1, 32, 6)), r=RNG.standard_normal((1, 32, 8)),
    )  # fmt: skip
    found = arithmetic(model, "onnx", {"x": (5, 2, 6)})
    assert found.macs == 5 * 2 * 32 * (6 + 8)


def test_a_size_that_nothing_tells_is_said() -> None:
    model = model_of(
        "float[n,4] x, int64[2] s", "float[a,b] y", "r = Reshape(x, s) y = MatMul(r, w)", w=RNG.standard_normal((4, 3))
    )
    found = arithmetic(model, "onnx", {"x": (2, 4), "s": (2,)})
    assert (found.macs, len(found.unknown), found.share) == (0, 1, None)
