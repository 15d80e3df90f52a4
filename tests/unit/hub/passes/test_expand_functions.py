"""Operators that are functions of others are replaced by them: the same numbers, on ONNX' own node tests."""

from collections.abc import Iterator

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.expand_functions import _computes, expand_functions

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")

EXPANDED = {
    "AffineGrid", "Attention", "CausalConvWithState", "CenterCropPad", "GroupNormalization", "LayerNormalization",
    "NegativeLogLikelihoodLoss", "RMSNormalization", "RotaryEmbedding", "SoftmaxCrossEntropyLoss",
}  # fmt: skip
EVERY = 4
"""Of the cases, which share: all of them take half a minute."""


def carries(op_type: str, opset: int) -> bool:
    return op_type not in EXPANDED


def cases() -> Iterator[onnx.backend.test.case.test_case.TestCase]:
    """Yield node tests over one expanded operator alone."""
    for case in load_model_tests(kind="node"):
        if {node.op_type for node in case.model.graph.node} <= EXPANDED and "bfloat16" not in case.name:
            yield case


def test_every_expanded_operator_gives_the_same_numbers() -> None:
    seen = set()
    for case in list(cases())[::EVERY]:
        model = ir.from_proto(case.model)
        seen |= {node.op_type for node in model.graph}
        graph.infer_shapes(model)
        assert expand_functions(model, carries), case.name
        assert not {node.op_type for node in model.graph.all_nodes()} & EXPANDED, case.name
        inputs, outputs = case.data_sets[0]
        proto = ir.to_proto(model)
        found = ReferenceEvaluator(proto).run(None, dict(zip((i.name for i in proto.graph.input), inputs, strict=True)))
        for wanted, got in zip(outputs, found, strict=True):
            rtol = 1e-2 if wanted.dtype == np.float16 else 1e-3
            np.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol, err_msg=case.name)
    assert len(seen) >= 8


def test_what_leads_nowhere_stays_so_that_it_is_named_itself() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 4]) for name in "xy"]
    node = helper.make_node("MeanVarianceNormalization", ["x"], ["y"], name="normal", axes=[0])
    proto = helper.make_model(
        helper.make_graph([node], "net", values[:1], values[1:]), opset_imports=[helper.make_opsetid("", 18)]
    )
    model = ir.from_proto(proto)
    assert not expand_functions(model, lambda op_type, opset: op_type == "Add")
    assert [node.op_type for node in model.graph] == ["MeanVarianceNormalization"]


def test_a_definition_that_depends_on_types_is_followed_to_its_end() -> None:
    cases = {case.name: case for case in load_model_tests(kind="node")}
    model = ir.from_proto(cases["test_sce_mean"].model)  # NegativeLogLikelihoodLoss inside, which is Gather and more
    graph.infer_shapes(model)
    assert not expand_functions(model, lambda op_type, opset: carries(op_type, opset) and op_type != "GatherElements")
    assert [node.op_type for node in model.graph] == ["SoftmaxCrossEntropyLoss"]
    assert expand_functions(model, carries)


def test_an_output_that_the_definition_does_not_compute_is_not_made_up() -> None:
    node = helper.make_node("LayerNormalization", ["x", "s"], ["y", "mean"], name="normal")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 4]) for name in ("x", "y", "mean")]
    values.append(helper.make_tensor_value_info("s", TensorProto.FLOAT, [4]))
    network = helper.make_graph([node], "net", [values[0], values[3]], [values[1], values[2]])
    model = ir.from_proto(helper.make_model(network, opset_imports=[helper.make_opsetid("", 18)]))
    body = onnx.FunctionProto(output=["Y", "Mean"], node=[helper.make_node("Neg", ["X"], ["Y"])])
    assert not _computes(body, model.graph[0])
    body.node.append(helper.make_node("Neg", ["X"], ["Mean"]))
    assert _computes(body, model.graph[0])
