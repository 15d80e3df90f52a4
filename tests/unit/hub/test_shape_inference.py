"""Shapes inferred in bodies too, types that are no tensors kept, large weights never in a proto."""

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest

from isoform.errors import IsoformError
from isoform.hub import graph


class Watched(ir.Tensor):
    """A weight that may not be written down."""

    def tobytes(self) -> bytes:
        raise AssertionError("a weight was serialised")

    def numpy(self) -> np.ndarray:
        raise AssertionError("a weight was read")


def model(text: str) -> ir.Model:
    return graph.load(onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 19]> main {text}'))


def test_a_large_weight_in_a_body_is_neither_read_nor_lost() -> None:
    loaded = model(
        "(float[n,512] x, bool c) => (float[n,k] y) { y = If(c)<"
        "then_branch = one () => (float[a,b] t) { p = MatMul(x, w) t = Neg(p) },"
        "else_branch = two () => (float[d,e] u) { u = Exp(x) }> }"
    )
    branch = loaded.graph[0].attributes["then_branch"].as_graph()
    weight = Watched(np.zeros((512, 8), np.float32), name="w")
    value = ir.Value(name="w", const_value=weight, shape=ir.Shape([512, 8]), type=ir.TensorType(ir.DataType.FLOAT))
    branch.register_initializer(value)
    branch[0].replace_input_with(1, value)
    graph.infer_shapes(loaded)
    assert value.const_value is weight
    assert str(branch[0].outputs[0].shape) == "[n,8]"


def test_a_sequence_stays_a_sequence() -> None:
    loaded = model("(float[n,2] x) => (float[2] y) <int64 i = {0}> { s = SplitToSequence(x) y = SequenceAt(s, i) }")
    graph.infer_shapes(loaded)
    assert isinstance(loaded.graph[0].outputs[0].type, ir.SequenceType)


def test_branches_with_weights_of_one_name_are_told_apart() -> None:
    loaded = model(
        "(bool c) => (float[k] y) { y = If(c)<"
        "then_branch = one () => (float[a] t) <float[2] w = {1, 2}> { p = Neg(w) t = Abs(p) },"
        "else_branch = two () => (float[d] u) <float[3] w = {1, 2, 3}> { q = Neg(w) u = Abs(q) }> }"
    )
    graph.infer_shapes(loaded)
    node = loaded.graph[0]
    found = [str(node.attributes[name].as_graph()[0].outputs[0].shape) for name in ("then_branch", "else_branch")]
    assert found == ["[2]", "[3]"]


def test_an_old_graph_without_its_weights_among_the_inputs_is_inferred() -> None:
    loaded = model(
        "(float[n,2] x) => (float[n,k] y) <float[2,3] w = {1, 2, 3, 4, 5, 6}> { p = MatMul(x, w) y = Abs(p) }"
    )
    loaded.ir_version = 3
    graph.infer_shapes(loaded)
    assert str(loaded.graph[0].outputs[0].shape) == "[n,3]"
    assert loaded.ir_version == 3


def test_a_graph_that_breaks_inference_is_refused_by_name() -> None:
    loaded = model("(float[n] x) => (float[n] y) { y = Abs(x) }")
    del loaded.opset_imports[""]
    with pytest.raises(IsoformError, match="Shape inference breaks off"):
        graph.infer_shapes(loaded)
