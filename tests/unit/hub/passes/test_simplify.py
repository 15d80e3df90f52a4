"""Constants, static shapes and zero states fold; what depends on the caller stays."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.fold_weights import LARGEST_COMPUTED_BYTES, fold_weights
from isoform.hub.passes.simplify import simplify


def model_of(text: str, **weights: np.ndarray) -> ir.Model:
    model = parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18]> {text}')
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in weights.items())
    return graph.load(model)


def operators(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def test_a_reshape_by_static_sizes_asks_for_no_shape() -> None:
    model = model_of(
        """g (float[n,3,4] x) => (float[n,k] y) {
            s = Shape(x) a = Gather(s, one) b = Gather(s, two) p = Mul(a, b)
            q = Unsqueeze(p, zero) t = Concat<axis=0>(minus, q) y = Reshape(x, t) }""",
        one=np.array(1), two=np.array(2), zero=np.array([0]), minus=np.array([-1]),
    )  # fmt: skip
    simplify(model)
    assert operators(model) == ["Reshape"]
    assert model.graph.node(0).inputs[1].const_value.numpy().tolist() == [-1, 12]


def test_the_size_of_a_dynamic_dimension_is_not_folded() -> None:
    text = "g (float[n,3] x) => (int64[1] y) { s = Shape(x) y = Slice(s, zero, one) }"
    model = model_of(text, zero=np.array([0]), one=np.array([1]))
    simplify(model)
    [found] = ReferenceEvaluator(ir.to_proto(model)).run(None, {"x": np.zeros((7, 3), np.float32)})
    assert found.tolist() == [7]


def test_shapes_that_an_exporter_noted_of_inner_values_are_not_believed() -> None:
    text = "g (float[n] x) => (int64[2] y) { r = NonZero(x) s = Shape(r) y = Add(s, one) }"
    model = model_of(text, one=np.array([1]))
    places = model.graph.node(0).outputs[0]
    places.type, places.shape = ir.TensorType(ir.DataType.INT64), ir.Shape([1, 2])  # as traced
    simplify(model)
    [found] = ReferenceEvaluator(ir.to_proto(model)).run(None, {"x": np.ones(7, np.float32)})
    assert found.tolist() == [2, 8]


def test_a_transposed_weight_becomes_a_weight_of_the_same_name_without_a_copy() -> None:
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    model = model_of("g (float[n,3] x) => (float[n,2] y) { t = Transpose(w) y = MatMul(x, t) }", w=weight)
    fold_weights(model)
    assert operators(model) == ["MatMul"]
    assert list(model.graph.initializers) == ["w"]
    found = model.graph.initializers["w"].const_value.numpy()
    np.testing.assert_array_equal(found, weight.T)
    assert found.base is not None


def test_arithmetic_on_large_weights_is_left_to_the_runtime() -> None:
    large = np.zeros(LARGEST_COMPUTED_BYTES // 4 + 1, np.float32)
    model = model_of("g (float[n] x) => (float[n] y) { d = Neg(w) y = Add(x, d) }", w=large)
    fold_weights(model)
    assert operators(model) == ["Neg", "Add"]


@pytest.mark.parametrize(("value", "left"), [(0.0, ""), (0.5, "h")])
def test_initial_states_are_dropped_only_where_they_are_zero(value: float, left: str) -> None:
    model = model_of(
        """g (float[l,n,2] x) => (float[l,1,n,3] y) {
            y, last = LSTM<hidden_size=3>(x, w, r, "", "", h) }""".replace('""', ""),
        w=np.ones((1, 12, 2), np.float32), r=np.ones((1, 12, 3), np.float32),
        h=np.full((1, 4, 3), value, np.float32),
    )  # fmt: skip
    simplify(model)
    [node] = model.graph
    state = node.inputs[5] if len(node.inputs) > 5 else None
    assert (state.name if state is not None else "") == left


@given(
    start=st.integers(-6, 6), end=st.integers(-7, 7), step=st.integers(-3, 3).filter(bool), size=st.integers(1, 5)
)  # fmt: skip
def test_a_folded_slice_is_what_onnx_computes(start: int, end: int, step: int, size: int) -> None:
    model = model_of(
        "g (float[k] x) => (float[k] y) { s = Slice(w, start, end, axis, step) y = Add(x, s) }",
        w=np.arange(size, dtype=np.float32), start=np.array([start]), end=np.array([end]),
        axis=np.array([0]), step=np.array([step]),
    )  # fmt: skip
    before = ir.to_proto(model)
    fold_weights(model)
    assert operators(model) == ["Add"]
    [wanted] = ReferenceEvaluator(before).run(["y"], {"x": np.zeros(1, np.float32)})
    [found] = ReferenceEvaluator(ir.to_proto(model)).run(["y"], {"x": np.zeros(1, np.float32)})
    np.testing.assert_array_equal(found, wanted)
