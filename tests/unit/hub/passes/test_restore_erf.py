"""The complement of the error function, turned: the same function by ONNX' reference."""

import numpy as np
import onnx
import onnx_ir as ir
from onnx import parser
from onnx.reference import ReferenceEvaluator
from onnx_ir.passes import common

from isoform.hub import graph
from isoform.hub.passes.restore_erf import restore_erf
from isoform.hub.passes.restore_gelu import restore_gelu

NUMBERS = {"one": 1.0, "half": 0.5, "two": 2.0, "root": 0.5**0.5}
HEAD = '<ir_version: 10, opset_import: ["" : 20]> g (float[n,8] x) => (float[n,8] y)'
GELU = "a = Mul(half, x) k = Neg(x) c = Mul(k, root) e = Erf(c) s = Sub(one, e) y = Mul(a, s)"


def model_of(body: str) -> onnx.ModelProto:
    proto = parser.parse_model(f"{HEAD} {{ {body} }}")
    proto.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.array(number, np.float32), name) for name, number in NUMBERS.items()
    )
    return proto


def test_gelu_in_tensorflows_form_is_found_and_the_same() -> None:
    proto = model_of(GELU)
    model = graph.load(proto)
    restore_erf(model)
    common.RemoveUnusedNodesPass()(model)
    assert sorted(node.op_type for node in model.graph) == ["Add", "Erf", "Mul", "Mul", "Mul"]
    x = np.linspace(-4, 4, 16, dtype=np.float32).reshape(2, 8)
    [wanted], [found] = (ReferenceEvaluator(each).run(None, {"x": x}) for each in (proto, ir.to_proto(model)))
    np.testing.assert_array_equal(found, wanted)
    restore_gelu(model)
    assert [node.op_type for node in model.graph] == ["Gelu"]


def test_a_difference_from_another_number_stays() -> None:
    model = graph.load(model_of(GELU.replace("Sub(one", "Sub(two")))
    restore_erf(model)
    assert [node.op_type for node in model.graph] == ["Mul", "Neg", "Mul", "Erf", "Sub", "Mul"]
