"""Sizes that are known by name: what exporters compute of them while the model runs is said beforehand."""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from isoform.hub.passes.simplify import simplify


def simplified(
    nodes: list[onnx.NodeProto], inputs: dict[str, list[str | int]], **constants: np.ndarray
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    model = ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9))
    simplify(model)
    return ir.to_proto(model)


def operators(proto: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


def run(proto: onnx.ModelProto, **feed: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feed)[0]


def test_heads_are_split_by_a_constant_target_where_a_zero_would_have_meant_none() -> None:
    """Targets are 0 for a size of the input only without ``allowzero``, which exporters set always."""
    nodes = [
        helper.make_node("Shape", ["x"], ["leading"], start=0, end=2),
        helper.make_node("Concat", ["leading", "heads"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["split"], allowzero=1),
        helper.make_node("Abs", ["split"], ["y"]),
    ]
    proto = simplified(nodes, {"x": ["batch", "length", 6]}, heads=np.array([2, 3]))
    assert operators(proto) == ["Reshape", "Abs"]
    for sizes in ((2, 3, 6), (1, 1, 6), (0, 4, 6)):
        x = np.random.default_rng(0).standard_normal(sizes).astype(np.float32)
        np.testing.assert_array_equal(run(proto, x=x), np.abs(x.reshape(*sizes[:2], 2, 3)))


def test_a_table_of_positions_that_is_cut_to_the_length_has_the_length() -> None:
    """Were the input longer than the table, adding would fail: so that the sum has the sizes of the input."""
    nodes = [
        helper.make_node("Shape", ["x"], ["length"], start=1, end=2),
        helper.make_node("Slice", ["table", "zero", "length", "zero"], ["cut"]),
        helper.make_node("Add", ["x", "cut"], ["sum"]),
        helper.make_node("Shape", ["x"], ["whole"]),
        helper.make_node("Reshape", ["sum", "whole"], ["same"]),
        helper.make_node("Abs", ["same"], ["y"]),
    ]
    table = np.arange(1, 17, dtype=np.float32).reshape(8, 2)
    proto = simplified(nodes, {"x": ["batch", "length", 2]}, table=table, zero=np.array([0]))
    assert "Reshape" not in operators(proto)
    for length in (1, 5, 8):
        x = np.ones((2, length, 2), np.float32)
        np.testing.assert_array_equal(run(proto, x=x), x + table[:length])


def test_names_reach_what_inference_had_given_names_of_its_own() -> None:
    """The length of a Range is only known here; ONNX' inference hands its name on in the next round."""
    nodes = [
        helper.make_node("Shape", ["x"], ["size"], start=1, end=2),
        helper.make_node("Squeeze", ["size"], ["length"]),
        helper.make_node("Range", ["zero", "length", "one"], ["count"]),
        helper.make_node("Cast", ["count"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["number", "first"], ["row"]),
        helper.make_node("Mul", ["x", "row"], ["scaled"]),
        helper.make_node("Shape", ["x"], ["whole"]),
        helper.make_node("Expand", ["scaled", "whole"], ["same"]),
        helper.make_node("Abs", ["same"], ["y"]),
    ]
    scalars = {"zero": np.array(0), "one": np.array(1), "first": np.array([0])}
    proto = simplified(nodes, {"x": ["batch", "length"]}, **scalars)
    assert "Expand" not in operators(proto)
    x = np.ones((3, 4), np.float32)
    np.testing.assert_array_equal(run(proto, x=x), x * np.arange(4, dtype=np.float32))
