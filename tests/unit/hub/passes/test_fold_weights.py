"""Marked parameters stay in the graph; what is moved out of them is folded, arithmetic on them is not."""

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir

from isoform.hub.passes.fold_weights import mark_parameters
from isoform.hub.passes.simplify import simplify

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)


def graph() -> ir.Model:
    proto = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 21]> g (float[n, 2] x) => (float[n, 2] y) {
            t = Transpose (w)  two = Constant <value_float = 2.0> ()  m = Mul (t, two)
            axes = Constant <value_ints = [0]> ()  s = ReduceSum <keepdims = 0> (m, axes)  y = Add (x, s)
        }"""
    )
    proto.graph.initializer.append(onnx.numpy_helper.from_array(WEIGHT, "w"))
    return ir.from_proto(proto)


def test_arithmetic_on_a_parameter_is_folded_unless_it_is_marked() -> None:
    folded, kept = graph(), graph()
    mark_parameters([kept.graph.initializers["w"]])
    simplify(folded)
    simplify(kept)
    assert [node.op_type for node in folded.graph] == ["Add"]
    assert [node.op_type for node in kept.graph] == ["Mul", "ReduceSum", "Add"]
    held = [value.const_value.numpy() for value in kept.graph.initializers.values() if value.shape.rank() == 2]
    np.testing.assert_array_equal(held, [WEIGHT.T])


def test_rounding_a_parameter_is_arithmetic_widening_it_is_not() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]> g
        (float[n, 3] x, float16[n, 3] z) => (float[n, 2] y, float16[n, 2] q) {
        k = Cast <to = 1> (h)  y = Gemm <transB = 1> (x, k)  r = Cast <to = 10> (w)  q = Gemm <transB = 1> (z, r)
    }"""
    proto = onnx.parser.parse_model(text)
    proto.graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name) for name, array in (("h", WEIGHT.astype(np.float16)), ("w", WEIGHT))
    )
    model = ir.from_proto(proto)
    mark_parameters(model.graph.initializers.values())
    simplify(model)
    assert sorted(node.op_type for node in model.graph) == ["Cast", "Gemm", "Gemm"]
    np.testing.assert_array_equal(model.graph.initializers["w"].const_value.numpy(), WEIGHT)
