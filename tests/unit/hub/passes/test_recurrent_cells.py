"""A step is recognised by what it computes; ONNX' own GRU is the oracle of the cell's formula."""

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from isoform.hub.passes.recurrent_cells import Cell, recognise

FEATURES, UNITS = 3, 4
RNG = np.random.default_rng(0)


def cell(op_type: str, gates: int, *, is_reset_after: bool = False) -> Cell:
    kernel, recurrent, bias = (
        RNG.standard_normal(shape).astype(np.float32)
        for shape in ((FEATURES, gates * UNITS), (UNITS, gates * UNITS), (2, gates * UNITS))
    )
    activations = ("Sigmoid", "Tanh") if gates == 3 else ("Relu",)
    return Cell(op_type, kernel, recurrent, bias, activations, is_reset_after)


@pytest.mark.parametrize("is_reset_after", [True, False])
def test_a_gru_step_is_that_of_onnx(is_reset_after: bool) -> None:
    own = cell("GRU", 3, is_reset_after=is_reset_after)
    x, h = RNG.standard_normal((2, FEATURES)).astype(np.float32), RNG.standard_normal((2, UNITS)).astype(np.float32)
    node = onnx.helper.make_node(
        "GRU", ["x", "w", "r", "b", "", "h"], ["", "y"], hidden_size=UNITS, linear_before_reset=int(is_reset_after)
    )
    inputs = [onnx.helper.make_tensor_value_info(name, 1, None) for name in ("x", "w", "r", "b", "h")]
    output = onnx.helper.make_tensor_value_info("y", 1, None)
    graph = onnx.helper.make_graph([node], "gru", inputs, [output])
    evaluator = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]))
    feed = {
        "x": x[None],
        "w": own.kernel.T[None],
        "r": own.recurrent.T[None],
        "b": own.bias.reshape(1, -1),
        "h": h[None],
    }
    (wanted,) = evaluator.run(None, feed)
    np.testing.assert_allclose(own.step(x, h), wanted[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "own", [cell("GRU", 3, is_reset_after=True), cell("GRU", 3), cell("RNN", 1)], ids=["after", "before", "rnn"]
)
def test_a_step_is_recognised_whatever_the_order_of_its_weights(own: Cell) -> None:
    found = recognise(own.step, [own.bias, own.recurrent, own.kernel], FEATURES, UNITS)
    assert found is not None
    assert (found.op_type, found.activations, found.is_reset_after) == (
        own.op_type, own.activations, own.is_reset_after,
    )  # fmt: skip


def test_a_step_that_differs_a_little_is_none() -> None:
    own = cell("GRU", 3, is_reset_after=True)
    weights = [own.kernel, own.recurrent, own.bias]
    assert recognise(lambda x, h: own.step(x, h) * 1.001, weights, FEATURES, UNITS) is None
