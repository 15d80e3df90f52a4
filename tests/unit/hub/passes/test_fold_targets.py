"""Targets of Reshape that frameworks compute become constants, and Reshapes that change nothing go."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator
from onnx_ir.passes import common

from isoform.hub import graph
from isoform.hub.passes.drop_reshapes import drop_reshapes
from isoform.hub.passes.fold_targets import fold_targets

X = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
CONSTANTS = {
    "zero": np.array([0]), "one": np.array([1]), "two": np.array([2]), "three": np.array([3]), "four": np.array([4]),
    "scalar": np.array(0), "back": np.array([1, 2]), "front": np.array([0, 1]), "rows": np.array([-1, 20]),
    "same": np.array([-1, 3, 4, 5]), "kept": np.array([0, -1]),
}  # fmt: skip


def model_of(body: str, output: str = "a, b") -> onnx.ModelProto:
    text = f'<ir_version: 10, opset_import: ["" : 20]> g (float[n, 3, 4, 5] x) => (float[{output}] y) {{ {body} }}'
    model = parser.parse_model(text)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in CONSTANTS.items())
    return model


def after(model: onnx.ModelProto, *passes: object) -> onnx.ModelProto:
    loaded = graph.load(model)
    graph.infer_shapes(loaded)
    for each in passes:
        each(loaded)
    common.RemoveUnusedNodesPass()(loaded)
    return ir.to_proto(loaded)


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def assert_same(before: onnx.ModelProto, changed: onnx.ModelProto) -> None:
    wanted, found = (ReferenceEvaluator(model).run(None, {"x": X})[0] for model in (before, changed))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "target",
    [
        "s = Shape(x)  n = Slice(s, zero, one)  m = Mul(n, three)  k = Mul(four, four)  l = Add(k, four)"
        "  t = Concat <axis = 0> (m, l)",
        "s = Shape(x)  n = Gather(s, scalar)  u = Unsqueeze(n, zero)  b = Gather(s, back)"
        "  p = ReduceProd <keepdims = 1> (b, zero)  f = Shape <start = 3> (x)  q = Mul(p, f)"
        "  t = Concat <axis = 0> (u, q)",
        "s = Shape(x)  i = Cast <to = 6> (s)  b = Gather(i, front)  p = ReduceProd <keepdims = 0> (b, zero)"
        "  u = Unsqueeze(p, zero)  w = Cast <to = 7> (u)  k = Sub(four, two)  l = Mul(k, two)"
        "  e = Shape <start = 3> (x)  h = Mul(l, e)  t = Concat <axis = 0> (w, h)",
    ],
    ids=["slices", "products", "casts"],
)
def test_a_target_with_one_unknown_size_becomes_a_constant(target: str) -> None:
    before = model_of(f"{target}  y = Reshape(x, t)")
    changed = after(before, fold_targets)
    assert operators(changed) == ["Reshape"]
    assert_same(before, changed)


def test_a_target_with_two_unknown_sizes_stays_computed() -> None:
    before = model_of(
        "e = NonZero(x)  s = Shape(e)  n = Gather(s, one)  f = Shape <start = 0, end = 1> (x)"
        "  l = Concat <axis = 0> (n, f)  m = ReduceMin <keepdims = 1> (l, zero)  k = Reshape(m, one)"
        "  t = Concat <axis = 0> (f, k, one)  z = Expand(x, one)  r = ReduceSum <keepdims = 1> (z, back)"
        "  q = ReduceMean <keepdims = 1> (r, three)  w = Expand(q, one)  y = Reshape(w, t)",
        "a, b, c",
    )
    changed = after(before, fold_targets)
    [reshape] = [node for node in changed.graph.node if node.output[0] == "y"]
    assert reshape.input[1] == "t"


def test_a_matrix_of_numbers_is_not_taken_for_a_list() -> None:
    before = model_of(
        "f = Shape <start = 0, end = 2> (x)  u = Unsqueeze(f, zero)  v = Concat <axis = 1> (u, u)  w = Reshape(v, four)"
        "  t = Slice(w, zero, two)  p = ReduceSum <keepdims = 0> (x, back)  q = ReduceMax <keepdims = 1> (p, one)"
        "  z = Expand(q, t)  y = Reshape(z, t)"
    )
    assert_same(before, after(before, fold_targets))


def test_of_several_reshapes_the_last_counts() -> None:
    before = model_of("r = Reshape(x, same)  q = Reshape(r, rows)  p = Reshape(q, same)  y = Reshape(p, rows)")
    changed = after(before, drop_reshapes)
    assert operators(changed) == ["Reshape"]
    assert_same(before, changed)


def test_a_reshape_to_the_shape_that_there_is_goes() -> None:
    before = model_of("r = Reshape(x, same)  y = Relu(r)", "a, b, c, d")
    changed = after(before, drop_reshapes)
    assert operators(changed) == ["Relu"]
    assert_same(before, changed)


def test_a_reshape_that_keeps_a_size_of_its_own_input_stays() -> None:
    before = model_of("r = Reshape(x, rows)  q = Reshape(r, kept)  y = Neg(q)")
    changed = after(before, drop_reshapes)
    assert operators(changed) == ["Reshape", "Reshape", "Neg"]
    assert_same(before, changed)
