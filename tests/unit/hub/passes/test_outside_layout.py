"""Other axes on the outside: the same function of moved inputs, and no transpose where the graph has one itself."""

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from isoform.hub.passes.outside_layout import move_outside

TO_LAST = [0, 2, 3, 1]


def graph(*nodes: onnx.NodeProto, out: str) -> onnx.ModelProto:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 4, 5])
    result = helper.make_tensor_value_info(out, TensorProto.FLOAT, ["n", None, None, None])
    return helper.make_model(
        helper.make_graph(nodes, "net", [image], [result]), opset_imports=[helper.make_opsetid("", 18)]
    )


def moved(proto: onnx.ModelProto, outputs: dict[str, list[int]]) -> onnx.ModelProto:
    model = ir.from_proto(proto)
    move_outside(model, {"image": TO_LAST}, outputs)
    return ir.to_proto(model)


def test_the_function_is_the_same_on_moved_images() -> None:
    proto = graph(
        helper.make_node("ReduceMax", ["image"], ["most"], keepdims=1),
        helper.make_node("Div", ["image", "most"], ["scaled"]),
        out="scaled",
    )
    image = np.random.default_rng(0).random((2, 3, 4, 5)).astype(np.float32) + 1
    (expected,) = ReferenceEvaluator(proto).run(None, {"image": image})
    after = moved(proto, {"scaled": TO_LAST})
    onnx.checker.check_model(after)
    (found,) = ReferenceEvaluator(after).run(None, {"image": image.transpose(TO_LAST)})
    np.testing.assert_array_equal(found, expected.transpose(TO_LAST))
    assert [dim.dim_value or dim.dim_param for dim in after.graph.input[0].type.tensor_type.shape.dim] == ["n", 4, 5, 3]


def test_a_transpose_that_the_graph_begins_with_cancels() -> None:
    proto = graph(
        helper.make_node("Transpose", ["image"], ["last"], perm=TO_LAST), helper.make_node("Relu", ["last"], ["y"]),
        out="y",
    )  # fmt: skip
    after = moved(proto, {})
    assert [node.op_type for node in after.graph.node] == ["Relu"]
