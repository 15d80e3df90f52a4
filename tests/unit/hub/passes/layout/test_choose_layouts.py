"""Transposes move down until they meet their inverse: the same function, and as few of them as there have to be."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.layout import choose_layouts

RNG = np.random.default_rng(3)
LAST, FIRST = "[0, 2, 3, 1]", "[0, 3, 1, 2]"
X = RNG.standard_normal((2, 4, 5, 3)).astype(np.float32)
KERNEL = RNG.standard_normal((3, 3, 1, 1)).astype(np.float32)


def model_of(body: str, output: str = "float[n, a, b, c] y", **constants: np.ndarray) -> onnx.ModelProto:
    text = f'<ir_version: 10, opset_import: ["" : 20]> g (float[n, 4, 5, 3] x) => ({output}) {{ {body} }}'
    model = parser.parse_model(text)
    constants = {"kernel": KERNEL, **constants}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in constants.items())
    return model


def rewritten(model: onnx.ModelProto) -> onnx.ModelProto:
    loaded = graph.load(model)
    graph.infer_shapes(loaded)
    choose_layouts(loaded)
    after = ir.to_proto(loaded)
    onnx.checker.check_model(after, full_check=True)
    assert [value.name for value in after.graph.output] == [value.name for value in model.graph.output]
    return after


def transposes(model: onnx.ModelProto) -> int:
    return sum(node.op_type == "Transpose" for node in model.graph.node)


def assert_same(before: onnx.ModelProto, after: onnx.ModelProto) -> None:
    wanted, found = (ReferenceEvaluator(model).run(None, {"x": X}) for model in (before, after))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def between(operator: str, output: str = "float[n, a, b, c] y", **constants: np.ndarray) -> onnx.ModelProto:
    """Return a model with ``operator``, from ``p`` to ``q``, between two convolutions in NHWC."""
    body = f"""
        a = Transpose <perm = {FIRST}> (x)  b = Conv(a, kernel)  p = Transpose <perm = {LAST}> (b)
        {operator}
        c = Transpose <perm = {FIRST}> (q)  d = Conv(c, kernel)  y = Transpose <perm = {LAST}> (d)
    """
    return model_of(body, output, **constants)


ROW = RNG.standard_normal(3).astype(np.float32)
INT = np.array


@pytest.mark.parametrize(
    ("operator", "constants"),
    [
        ("q = Relu(p)", {}),
        ("q = Add(p, row)", {"row": ROW}),
        ("r = Sigmoid(p) q = Mul(r, p)", {}),
        ("q = Clip(p, low, high)", {"low": np.float32(-1), "high": np.float32(1)}),
        ("q = PRelu(p, row)", {"row": ROW}),
        (
            "h = Cast <to=7> (p) i = Mod(h, five) k = ReduceMax <keepdims=0> (i, three) q = Gather <axis=2> (p, k)",
            {"five": INT([5]), "three": INT([0, 1, 2])},
        ),
        ("q = Pad(p, pads)", {"pads": INT([0, 1, 0, 0, 0, 0, 2, 0])}),
        ("q = Slice(p, starts, ends)", {"starts": INT([0, 1, 0, 0]), "ends": INT([9, 3, 9, 9])}),
        ("q = Slice(p, starts, ends, axes)", {"starts": INT([1]), "ends": INT([3]), "axes": INT([-2])}),
        ("q = Concat <axis = 2> (p, p)", {}),
        ("r, s = Split <axis = -3, num_outputs = 2> (p) q = Max(r, s)", {}),
        ("q = ReduceMean <keepdims = 1> (p, axes)", {"axes": INT([1, 2])}),
        ("r = ReduceMean <keepdims = 0> (p, axes) q = Reshape(r, to)", {"axes": INT([1, 2]), "to": INT([-1, 1, 1, 3])}),
        ("c1 = DequantizeLinear(half, s, z) q = Mul(p, c1)",
         {"half": np.array([3, -7, 5], np.int8), "s": np.float32(0.5), "z": np.int8(1)}),
        ("i = QuantizeLinear(p, s, z) q = DequantizeLinear(i, s, z)", {"s": np.float32(0.02), "z": np.int8(3)}),
        ("i = QuantizeLinear <axis = 3> (p, s, z) q = DequantizeLinear <axis = -1> (i, s, z)",
         {"s": np.float32([0.02, 0.1, 0.05]), "z": np.int8([3, 0, -4])}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_does_not_care_lets_them_through(operator: str, constants: dict) -> None:
    before = between(operator, **constants)
    after = rewritten(before)
    assert transposes(after) == 2
    assert_same(before, after)


@pytest.mark.parametrize(
    ("operator", "output", "left"),
    [
        ("y = ReduceMax <keepdims = 0> (p, axes)", "float[n, c] y", 1),
        ("y = ReduceMax <keepdims = 0> (p, channel)", "float[n, a, b] y", 1),
        ("y = ArgMax <axis = -1, keepdims = 0> (p)", "int64[n, a, b] y", 1),
        ("y = Squeeze(r, axes)  r = ReduceMax <keepdims = 1> (p, axes)", "float[n, c] y", 1),
        ("y = Softmax <axis = -1> (p)", "float[n, a, b, c] y", 2),
        ("y = Reshape(p, flat)", "float[n, m] y", 2),
    ],
    ids=lambda value: str(value),
)
def test_an_end_of_the_images_needs_none_where_the_order_is_gone(operator: str, output: str, left: int) -> None:
    if operator.startswith("y = Squeeze"):
        operator = "r = ReduceMax <keepdims = 1> (p, axes)  y = Squeeze(r, axes)"
    body = f"a = Transpose <perm = {FIRST}> (x)  b = Conv(a, kernel)  p = Transpose <perm = {LAST}> (b)  {operator}"
    before = model_of(body, output, axes=INT([1, 2]), channel=INT([3]), flat=INT([-1, 60]))
    after = rewritten(before)
    assert transposes(after) == left
    assert_same(before, after)


def test_an_addition_to_what_is_not_transposed_shares_the_transpose_of_that() -> None:
    before = between("q = Add(p, x)")
    after = rewritten(before)
    assert transposes(before) == 4
    assert transposes(after) == 2
    assert_same(before, after)


def test_integers_are_transposed_instead_of_the_numbers_that_they_stand_for() -> None:
    body = f"""
        i = QuantizeLinear(x, s, z)  p = DequantizeLinear(i, s, z)
        a = Transpose <perm = {FIRST}> (p)  b = Conv(a, kernel)  y = Transpose <perm = {LAST}> (b)
    """
    before = model_of(body, s=np.float32(0.02), z=np.int8(3))
    after = rewritten(before)
    order = [node.op_type for node in after.graph.node]
    assert order == ["QuantizeLinear", "Transpose", "DequantizeLinear", "Conv", "Transpose"]
    assert_same(before, after)


def test_other_readers_of_a_transposed_value_keep_it() -> None:
    before = between("q = Relu(p)  z = Reshape(p, flat)", "float[n, a, b, c] y, float[m] z", flat=INT([-1]))
    after = rewritten(before)
    assert transposes(after) == 3
    assert_same(before, after)
