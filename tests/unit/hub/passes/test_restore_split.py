"""A sequence whose parts are taken by position is a Split; any other sequence stays."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.restore_split import restore_split

DATA = np.arange(2 * 7, dtype=np.float32).reshape(2, 7)


def network(sizes: np.ndarray, places: list[int], extra: list[onnx.NodeProto] | None = None) -> ir.Model:
    """Return a graph that splits x along axis 1 and adds up the first columns of the parts at ``places``."""
    nodes = [helper.make_node("SplitToSequence", ["x", "sizes"], ["parts"], axis=1, keepdims=1)]
    weights = [numpy_helper.from_array(sizes, "sizes")]
    for index, place in enumerate(places):
        nodes.append(helper.make_node("SequenceAt", ["parts", f"place{index}"], [f"part{index}"]))
        weights.append(numpy_helper.from_array(np.array(place), f"place{index}"))
    nodes += extra or []
    outputs = [
        helper.make_tensor_value_info(f"part{index}", TensorProto.FLOAT, ["n", None]) for index in range(len(places))
    ]
    if extra:
        outputs.append(helper.make_tensor_value_info("count", TensorProto.INT64, []))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 7])
    proto = helper.make_graph(nodes, "net", [x], outputs, weights)
    model = ir.from_proto(helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)]))
    graph.infer_shapes(model)
    return model


@pytest.mark.parametrize(
    ("sizes", "places"),
    [(np.array([3, 4]), [0, 1]), (np.array([1, 2, 4]), [2, 0]), (np.array(3), [0, 1, 2]), (np.array([3, 4]), [-1, 0])],
    ids=["sizes", "some of the parts", "one size, the last part smaller", "from the end"],
)
def test_the_parts_are_the_same(sizes: np.ndarray, places: list[int]) -> None:
    model = network(sizes, places)
    expected = ReferenceEvaluator(ir.to_proto(model)).run(None, {"x": DATA})
    restore_split(model)
    assert [node.op_type for node in model.graph] == ["Split"]
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    for one, other in zip(expected, ReferenceEvaluator(proto).run(None, {"x": DATA}), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_sequence_that_something_else_reads_stays() -> None:
    model = network(np.array([3, 4]), [0], [helper.make_node("SequenceLength", ["parts"], ["count"])])
    restore_split(model)
    assert "SplitToSequence" in [node.op_type for node in model.graph]
