"""Activations lose their sign and keep their numbers; weights, inputs and outputs stay as they are."""

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.unsigned_activations import unsigned_activations

RNG = np.random.default_rng(6)
X = RNG.uniform(-3, 3, (2, 3, 4, 4)).astype(np.float32)
CONSTANTS = {
    "s": np.float32(0.02), "z": np.int8(-7), "t": np.float32(0.05), "y0": np.int8(11),
    "w": RNG.integers(-127, 128, (5, 3, 1, 1)).astype(np.int8), "ws": np.float32([0.01, 0.02, 0.03, 0.01, 0.02]),
    "wz": np.zeros(5, np.int8), "row": np.int8([[[-128]], [[127]], [[3]]]), "flat": np.array([-1, 16]),
}  # fmt: skip


def model_of(body: str, output: str = "float[n, c, h, w1] y", given: str = "float[2, 3, 4, 4] x") -> onnx.ModelProto:
    model = parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]> g ({given}) => ({output}) {{ {body} }}')
    used = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in CONSTANTS.items() if name in used
    )
    return model


def turned(before: onnx.ModelProto, x: np.ndarray = X) -> onnx.ModelProto:
    """Return the model after the pass, which has to be valid and to answer as before."""
    loaded = graph.load(before)
    graph.infer_shapes(loaded)
    unsigned_activations(loaded)
    after = ir.to_proto(loaded)
    onnx.checker.check_model(after, full_check=True)
    wanted, found = (ReferenceEvaluator(model).run(None, {"x": x}) for model in (before, after))
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    return after


def kinds(model: onnx.ModelProto) -> dict[str, int]:
    """Return the dtype of the zero point by the output of each operator that has one."""
    dtypes = {each.name: each.data_type for each in model.graph.initializer}
    return {
        node.output[0]: dtypes[node.input[2]]
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
    }


def test_activations_become_unsigned_and_weights_stay_signed() -> None:
    after = turned(
        model_of(
            "q = QuantizeLinear(x, s, z)  a = DequantizeLinear(q, s, z)  k = DequantizeLinear <axis = 0> (w, ws, wz)"
            "  b = Conv(a, k)  r = QuantizeLinear(b, t, y0)  y = DequantizeLinear(r, t, y0)"
        )
    )
    assert kinds(after) == {
        "q": TensorProto.UINT8, "a": TensorProto.UINT8, "k": TensorProto.INT8, "r": TensorProto.UINT8,
        "y": TensorProto.UINT8,
    }  # fmt: skip


def test_integers_that_are_moved_about_turn_together() -> None:
    after = turned(
        model_of(
            "q = QuantizeLinear(x, s, z)  r = Transpose <perm = [0, 2, 3, 1]> (q)  u = Reshape(r, flat)"
            "  v = Concat <axis = 0> (u, u)  y = DequantizeLinear(v, s, z)",
            "float[m, k] y",
        )
    )
    assert set(kinds(after).values()) == {TensorProto.UINT8}


def test_a_constant_that_is_added_turns_too_at_the_ends_of_its_range() -> None:
    after = turned(
        model_of(
            "q = QuantizeLinear(x, s, z)  a = DequantizeLinear(q, s, z)  c = DequantizeLinear(row, t, y0)"
            "  b = Mul(a, c)  r = QuantizeLinear(b, t, y0)  y = DequantizeLinear(r, t, y0)"
        )
    )
    assert set(kinds(after).values()) == {TensorProto.UINT8}


def test_inputs_and_outputs_keep_their_dtype() -> None:
    before = model_of(
        "a = DequantizeLinear(x, s, z)  b = Relu(a)  y = QuantizeLinear(b, t, y0)",
        "int8[2, 3, 4, 4] y",
        "int8[2, 3, 4, 4] x",
    )
    after = turned(before, RNG.integers(-128, 128, X.shape).astype(np.int8))
    signed = [name for name, dtype in kinds(after).items() if dtype == TensorProto.INT8]
    assert signed == ["a", "y"]
    relu = next(node for node in after.graph.node if node.op_type == "Relu")
    [maker] = [node for node in after.graph.node if relu.input[0] in node.output]
    assert kinds(after)[maker.output[0]] == TensorProto.UINT8


def test_integers_that_are_computed_with_stay_signed() -> None:
    after = turned(model_of("q = QuantizeLinear(x, s, z)  c = Cast <to = 6> (q)  y = Neg(c)", "int32[2, 3, 4, 4] y"))
    assert kinds(after)["q"] == TensorProto.INT8
