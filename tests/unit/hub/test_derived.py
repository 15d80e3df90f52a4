"""What a graph computes from parameters alone, against NumPy."""

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir

from isoform.core.computed import Derived
from isoform.hub.derived import uses


def graph(text: str, **weights: np.ndarray) -> ir.Model:
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> g {text}')
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in weights.items())
    return ir.from_proto(proto)


def test_the_values_that_meet_the_inputs_are_what_numpy_computes() -> None:
    scale, table = np.float32(0.7).reshape(()), np.arange(6, dtype=np.float32).reshape(2, 3)
    model = graph(
        """(float[n, 3] x) => (float[n, 3] y, float[3, 2] z) {
            e = Exp (scale)  m = Mul (x, e)  t = Tanh (table)  s = Mul (t, e)  r = ReduceSum <keepdims = 1> (s)
            y = Add (m, r)  z = Transpose (t)
        }""",
        scale=scale,
        table=table,
    )
    found = uses(model, ["scale", "table"])
    [[exponential]], [[tanh]] = found["scale"], found["table"]
    assert isinstance(exponential, Derived)
    assert isinstance(tanh, Derived)
    np.testing.assert_allclose(exponential.array, np.exp(scale), rtol=1e-6)
    np.testing.assert_allclose(tanh.array, np.tanh(table), rtol=1e-6)
    [[scaled], [transposed]] = tanh.uses
    np.testing.assert_array_equal(transposed.array, tanh.array.T)
    assert transposed.uses == ((),)
    [[total]] = scaled.uses
    np.testing.assert_allclose(total.array, [[(np.tanh(table) * np.exp(scale)).sum()]], rtol=1e-6)


def test_a_parameter_that_meets_the_inputs_itself_says_so() -> None:
    weight = np.arange(3, dtype=np.float32)
    model = graph("(float[3] x) => (float[3] y) { e = Exp (w)  m = Mul (x, e)  y = Max (m, w) }", w=weight)
    [computed], itself = uses(model, ["w"])["w"]
    np.testing.assert_allclose(computed.array, np.exp(weight), rtol=1e-6)
    assert itself == ()


def test_sizes_and_random_numbers_derive_nothing() -> None:
    weight = np.arange(3, dtype=np.float32)
    model = graph(
        "(float[3] x) => (float[3] y) { s = Shape (w)  f = ConstantOfShape (s)  d = RandomNormalLike (w)  "
        "m = Max (d, f)  y = Max (x, m) }",
        w=weight,
    )
    assert uses(model, ["w"]) == {"w": ((),)}
