"""A graph in float64 is the same function with nothing rounded: against NumPy, which knows no graph."""

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from isoform.hub.passes.upcast import upcast

W = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def graph_of(nodes: list[onnx.NodeProto]) -> ir.Model:
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])], [numpy_helper.from_array(W, "w")],
    )  # fmt: skip
    return ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))


def evaluated(model: ir.Model, x: np.ndarray) -> np.ndarray:
    return np.asarray(ReferenceEvaluator(ir.to_proto(model)).run(None, {"x": x})[0])


def test_weights_constants_and_casts_compute_in_float64() -> None:
    model = graph_of([
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Constant", [], ["c"], value_float=0.1),
        helper.make_node("Cast", ["c"], ["d"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["a", "d"], ["y"]),
    ])  # fmt: skip
    upcast(model)
    x = np.random.default_rng(1).normal(size=(2, 4))
    found = evaluated(model, x)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, x @ W.astype(np.float64) + np.float64(np.float32(0.1)), rtol=1e-15)
    assert [value.dtype for value in (*model.graph.inputs, *model.graph.outputs)] == [ir.DataType.DOUBLE] * 2


def test_integers_and_a_cast_to_them_stay() -> None:
    model = graph_of([
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Cast", ["a"], ["i"], to=TensorProto.INT64),
        helper.make_node("CastLike", ["i", "a"], ["y"]),
    ])  # fmt: skip
    upcast(model)
    x = np.full((1, 4), 3.0)
    np.testing.assert_array_equal(evaluated(model, x), np.trunc(x @ W.astype(np.float64)))


def test_branches_are_upcast_too() -> None:
    def branch(sign: float) -> onnx.GraphProto:
        factor = helper.make_node("Constant", [], ["k"], value_floats=[sign * 0.1])
        nodes = [factor, helper.make_node("Mul", ["m", "k"], ["z"])]
        return helper.make_graph(nodes, "b", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)])

    model = graph_of([
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Constant", [], ["t"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("If", ["t"], ["y"], then_branch=branch(1), else_branch=branch(-1)),
    ])  # fmt: skip
    upcast(model)
    x = np.random.default_rng(1).normal(size=(2, 4))
    np.testing.assert_allclose(evaluated(model, x), x @ W.astype(np.float64) * np.float64(np.float32(0.1)), rtol=1e-15)
