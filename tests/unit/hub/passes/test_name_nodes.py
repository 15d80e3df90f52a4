"""Names for nodes without one, as they show in a refusal."""

import onnx_ir as ir
import pytest
from onnx import parser

from isoform.errors import UnsupportedOperator
from isoform.hub.emitters.registry import OpTable
from isoform.hub.passes.name_nodes import name_nodes

TEXT = (
    '<ir_version: 10, opset_import: ["" : 18]> g (float[n] x) => (float[n] y) { features = Relu(x) y = Abs(features) }'
)


def test_a_refusal_says_which_nameless_node_is_meant() -> None:
    model = ir.from_proto(parser.parse_model(TEXT))
    model.graph[1].name = "magnitude"
    name_nodes(model)
    with pytest.raises(UnsupportedOperator) as refused:
        OpTable("TFLite").require(model)
    assert "'Relu' (node Relu_features, opset 18)" in refused.value.what
    assert "'Abs' (node magnitude, opset 18)" in refused.value.what
