"""Initialisers made of weights bear the weights' names."""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.name_weights import joined, name_weights, origins
from isoform.hub.passes.simplify import simplify


def graph(text: str, **weights: np.ndarray) -> ir.Model:
    model = ir.from_onnx_text(text)
    for name, array in weights.items():
        value = next(v for node in model.graph for v in node.inputs if v is not None and v.name == name)
        value.const_value = ir.tensor(array, name=name)
        model.graph.register_initializer(value)
    return model


GATES = """
<ir_version: 10, opset_import: ["" : 20]>
g (float[n, 4] x) => (float[n, 4] y) {
    start = Constant <value = int64[1] {0}> ()
    middle = Constant <value = int64[1] {2}> ()
    end = Constant <value = int64[1] {4}> ()
    first = Slice (w, start, middle)
    second = Slice (w, middle, end)
    swapped = Concat <axis = 0> (second, first)
    turned = Transpose <perm = [1, 0]> (swapped)
    y = MatMul (x, turned)
}
"""


def test_gates_in_another_order_keep_the_name_of_their_weight() -> None:
    weight = np.arange(16, dtype=np.float32).reshape(4, 4)
    model = graph(GATES, w=weight)
    made_of = origins(model)
    assert made_of["turned"] == ("w",)
    simplify(model)
    name_weights(model, made_of)
    [(name, value)] = model.graph.initializers.items()
    assert name == "w"
    np.testing.assert_array_equal(value.const_value.numpy(), weight[[2, 3, 0, 1]].T)


def test_activations_have_no_origin() -> None:
    assert "y" not in origins(graph(GATES, w=np.zeros((4, 4), np.float32)))


def test_a_joined_name_says_the_module_once() -> None:
    assert joined(("lstm.bias_ih_l0", "lstm.bias_hh_l0")) == "lstm.bias_ih_l0_and_bias_hh_l0"
    assert joined(("weight",)) == "weight"


def test_parts_of_one_weight_are_numbered() -> None:
    model = graph(GATES, w=np.zeros((4, 4), np.float32))
    model.graph.initializers["w"].name = "val_1"
    made_of = {"val_1": ("lstm.w",)}
    name_weights(model, made_of)
    assert list(model.graph.initializers) == ["lstm.w"]
