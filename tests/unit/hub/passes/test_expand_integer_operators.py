"""Operators that quantise by themselves, before and after, in ONNX' reference evaluator."""

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from isoform.hub.passes.expand_integer_operators import expand_integer_operators

RNG = np.random.default_rng(0)
KERNEL = RNG.integers(0, 256, (4, 3, 2, 2)).astype(np.uint8)
MATRIX = RNG.integers(-128, 128, (900, 5)).astype(np.int8)


def model(op_type: str, rank: int, result: int, constants: list[Any], **attributes: Any) -> onnx.ModelProto:
    names = [f"c{place}" for place in range(len(constants))]
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, [None] * rank)
    y = helper.make_tensor_value_info("y", result, [None] * rank)
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in zip(names, constants, strict=True)]
    node = helper.make_node(op_type, ["x", *names], ["y"], name="n", **attributes)
    graph = helper.make_graph([node], "g", [x], [y], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def both(before: onnx.ModelProto, *shape: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the answers before and after, and the operators after."""
    graph = ir.from_proto(before)
    assert expand_integer_operators(graph)
    after = ir.to_proto(graph)
    x = {"x": RNG.integers(0, 256, shape).astype(np.uint8)}
    answers = [np.asarray(ReferenceEvaluator(each).run(None, x)[0]) for each in (before, after)]
    return answers[0], answers[1], [node.op_type for node in after.graph.node]


def test_an_integer_convolution_stays_exact() -> None:
    wanted, found, names = both(model("ConvInteger", 4, TensorProto.INT32, [KERNEL, np.uint8(7)]), 2, 3, 5, 5)
    np.testing.assert_array_equal(found, wanted)
    assert names.count("Conv") == 2  # 255 does not fit int8: two halves


def test_an_integer_product_whose_sums_pass_float32_is_taken_in_two_halves() -> None:
    constants = [MATRIX, np.uint8(250), np.int8(-3)]
    wanted, found, names = both(model("MatMulInteger", 2, TensorProto.INT32, constants), 3, 900)
    np.testing.assert_array_equal(found, wanted)
    assert names.count("MatMul") == 2


def test_a_small_integer_product_is_one() -> None:
    constants = [MATRIX[:9] // 2, np.uint8(250)]
    wanted, found, names = both(model("MatMulInteger", 2, TensorProto.INT32, constants), 3, 9)
    np.testing.assert_array_equal(found, wanted)
    assert names.count("MatMul") == 1


def test_a_quantised_product_becomes_numbers_between_integers() -> None:
    constants = [np.float32(0.1), np.uint8(7), MATRIX[:9], np.float32(0.02), np.int8(0), np.float32(0.5), np.uint8(100)]
    wanted, found, names = both(model("QLinearMatMul", 2, TensorProto.UINT8, constants), 3, 9)
    assert np.abs(found.astype(int) - wanted).max() <= 1
    assert names == ["DequantizeLinear", "DequantizeLinear", "MatMul", "QuantizeLinear"]


def test_scales_that_are_computed_leave_the_operator_as_it_is() -> None:
    before = model("QLinearMatMul", 2, TensorProto.UINT8, [np.float32(1)] * 7)
    before.graph.input.append(helper.make_tensor_value_info("c0", TensorProto.FLOAT, []))
    del before.graph.initializer[0]
    assert not expand_integer_operators(ir.from_proto(before))
