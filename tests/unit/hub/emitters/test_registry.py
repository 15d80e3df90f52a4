"""The operator table picks by domain and opset, and names everything that it lacks."""

import onnx
import onnx_ir as ir
import pytest
from onnx import parser

from isoform.errors import UnsupportedOperator
from isoform.hub import graph
from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN, OpTable


def table() -> OpTable:
    made: OpTable = OpTable("tflite")
    made.op("Relu")(lambda: "relu")
    made.op("Squeeze", since=13)(lambda: "by input")
    made.op("Squeeze")(lambda: "by attribute")
    made.op("Conv", domain=CHANNELS_LAST_DOMAIN)(lambda: "channels last")
    return made


def load(body: str, opset: int = 18) -> ir.Model:
    opsets = f'["" : {opset}, "{CHANNELS_LAST_DOMAIN}" : 1]'
    model: onnx.ModelProto = parser.parse_model(
        f"<ir_version: 10, opset_import: {opsets}> g (float[n] x) => (float[n] y) {{ {body} }}"
    )
    return graph.load(model)


@pytest.mark.parametrize(("opset", "found"), [(11, "by attribute"), (13, "by input"), (20, "by input")])
def test_the_newest_function_that_the_opset_knows_is_chosen(opset: int, found: str) -> None:
    [node] = load("y = Squeeze(x)", opset).graph
    function = table().lookup(node, opset)
    assert function is not None
    assert function() == found


def test_a_domain_of_its_own_is_another_operator() -> None:
    [node] = load("y = Conv(x, x)").graph
    assert table().lookup(node, 18) is None


def test_every_node_without_a_function_is_named_at_once() -> None:
    model = load("a = Relu(x) b = Sin(a) c = Tan(b) y = Relu(c)")
    for node, name in zip(model.graph, ("/1", "/2", "/3", "/4"), strict=True):
        node.name = name
    with pytest.raises(UnsupportedOperator) as caught:
        table().require(model)
    assert caught.value.what == "'Sin' (node /2, opset 18); 'Tan' (node /3, opset 18): no tflite form here."


def test_nodes_inside_of_a_branch_are_looked_at_too() -> None:
    model = load("c = Relu(x) y = Relu(c)")
    branch = load("y = Sinh(x)").graph
    model.graph.append(ir.node("If", [model.graph.inputs[0]], {"then_branch": branch, "else_branch": branch.clone()}))
    with pytest.raises(UnsupportedOperator, match="'Sinh'"):
        table().require(model)


def test_two_functions_for_one_opset_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two functions for ::Relu since opset 1"):
        table().op("Relu")(lambda: None)


def test_the_listing_holds_standard_operators_with_the_opsets_they_start_at() -> None:
    assert table().listed() == [{"operator": "Relu", "since": [1]}, {"operator": "Squeeze", "since": [1, 13]}]
