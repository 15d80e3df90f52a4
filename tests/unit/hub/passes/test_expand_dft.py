"""A Fourier transform of dynamic length as products gives what NumPy's gives; one of known length stays."""

import numpy as np
import onnx.parser
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.expand_dft import expand_dft


def expanded(text: str, opset: int = 20) -> tuple[ir.Model, bool]:
    model = ir.from_proto(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> g {text}'))
    graph.infer_shapes(model)
    return model, expand_dft(model)


def run(model: ir.Model, x: np.ndarray) -> np.ndarray:
    [found] = ReferenceEvaluator(ir.to_proto(model)).run(None, {"x": x})
    return found[..., 0] + 1j * found[..., 1]


def signal(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return x, x[..., 0] + (1j * x[..., 1] if shape[-1] == 2 else 0)


@pytest.mark.parametrize("length", [8, 9])
@pytest.mark.parametrize(
    ("components", "flags"),
    [(1, ""), (2, ""), (1, "<inverse = 1>"), (2, "<inverse = 1>"), (1, "<onesided = 1>")],
)
def test_it_is_the_transform_of_numpy(length: int, components: int, flags: str) -> None:
    model, is_expanded = expanded(f"(float[b, n, {components}] x) => (float[b, k, 2] y) {{ y = DFT {flags} (x) }}")
    assert is_expanded
    assert "DFT" not in [node.op_type for node in model.graph]
    x, wanted = signal(3, length, components)
    function = np.fft.ifft if "inverse" in flags else np.fft.fft
    wanted = np.fft.rfft(wanted.real) if "onesided" in flags else function(wanted)
    np.testing.assert_allclose(run(model, x), wanted, atol=2e-6)


def test_any_axis_and_the_older_attribute() -> None:
    x, wanted = signal(2, 5, 7, 2)
    model, is_expanded = expanded("(float[b, n, 7, 2] x) => (float[b, n, 7, 2] y) { y = DFT <axis = 1> (x) }", opset=17)
    assert is_expanded
    np.testing.assert_allclose(run(model, x), np.fft.fft(wanted, axis=1), atol=3e-6)


def test_angles_keep_their_digits_at_large_indices() -> None:
    x, wanted = signal(1, 3000, 1)
    model, _ = expanded("(float[b, n, 1] x) => (float[b, n, 2] y) { y = DFT (x) }")
    exact = np.fft.fft(wanted.astype(np.complex128))
    assert np.abs(run(model, x) - exact).max() / np.abs(exact).max() < 2e-6


@pytest.mark.parametrize("length", ["5", "n"])
def test_a_known_length_and_what_it_does_not_know_stay(length: str) -> None:
    flags = "<inverse = 1, onesided = 1>" if length == "n" else ""
    model, is_expanded = expanded(f"(float[b, {length}, 2] x) => (float[b, k, 2] y) {{ y = DFT {flags} (x) }}")
    assert not is_expanded
    assert [node.op_type for node in model.graph] == ["DFT"]


def test_computed_angles_are_those_of_the_definition_in_float64() -> None:
    model, _ = expanded("(float[b, n, 1] x) => (float[b, n, 2] y) { y = DFT (x) }")
    proto = ir.to_proto(model)
    for node in (node for node in proto.graph.node if node.op_type == "Cast"):
        node.attribute[0].i = onnx.TensorProto.DOUBLE
    for tensor in (tensor for tensor in proto.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT):
        tensor.CopyFrom(
            onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(np.float64), tensor.name)
        )
    x, wanted = signal(1, 37, 1)
    [found] = ReferenceEvaluator(proto).run(None, {"x": x.astype(np.float64)})
    np.testing.assert_allclose(found[..., 0] + 1j * found[..., 1], np.fft.fft(wanted), atol=1e-8)
