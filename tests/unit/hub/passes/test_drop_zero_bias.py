"""A bias of zeros goes, however it is computed; any other bias stays."""

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from isoform.hub.passes.drop_zero_bias import drop_zero_bias

RNG = np.random.default_rng(0)
KERNEL = RNG.standard_normal((4, 3, 3, 3)).astype(np.float32)
IMAGE = RNG.standard_normal((2, 3, 6, 6)).astype(np.float32)


def network(bias: float) -> ir.Model:
    """Return a convolution whose bias is Expand(CastLike(bias, image), [4])."""
    nodes = [
        helper.make_node("CastLike", ["number", "image"], ["cast"]),
        helper.make_node("Expand", ["cast", "shape"], ["bias"]),
        helper.make_node("Conv", ["image", "kernel", "bias"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(KERNEL, "kernel"),
        numpy_helper.from_array(np.array([bias], np.float64), "number"),
        numpy_helper.from_array(np.array([4]), "shape"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 6, 6])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4, 4, 4])
    graph = helper.make_graph(nodes, "net", [image], [result], weights)
    return ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))


@pytest.mark.parametrize(("bias", "inputs"), [(0.0, 2), (0.5, 3), (-0.0, 2)])
def test_only_zeros_go_and_the_function_stays(bias: float, inputs: int) -> None:
    model = network(bias)
    (expected,) = ReferenceEvaluator(ir.to_proto(model)).run(None, {"image": IMAGE})
    drop_zero_bias(model)
    assert len(list(model.graph)[-1].inputs) == inputs
    (found,) = ReferenceEvaluator(ir.to_proto(model)).run(None, {"image": IMAGE})
    np.testing.assert_array_equal(found, expected)


def test_a_bias_that_is_an_input_of_the_graph_stays() -> None:
    model = network(0.0)
    number = model.graph.initializers.pop("number")
    model.graph.inputs.append(number)
    drop_zero_bias(model)
    assert len(list(model.graph)[-1].inputs) == 3
