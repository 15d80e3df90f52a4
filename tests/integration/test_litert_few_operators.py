"""Which operators of TFLite stand for what: those that XNNPACK takes, and none to convert sizes back and forth."""

import numpy as np
import onnx_ir as ir
import pytest

from integration.litert_runner import assert_same, parsed
from integration.quantized_graphs import operators
from isoform import hub

TABLE = "int64[1] zero = {0}, int64[1] one = {1}, int64 first = {0}"
X = np.random.default_rng(0).random((2, 3, 6), np.float32)

GRAPHS = {
    "a slice up to the size of another": (
        "(float[b,m,6] x) => (float[i,j,6] y) { s = Shape<start = 1, end = 2>(x)  y = Slice(x, one, s, one) }",
        ["SHAPE", "STRIDED_SLICE", "CONCATENATION", "STRIDED_SLICE"],
    ),
    "sizes of two tensors joined": (
        "(float[b,m,6] x) => (float[i,j,k] y) { s = Shape<end = 1>(x)  t = Concat<axis = 0>(s, one, one)"
        "  f = Slice(x, zero, one, zero)  y = Expand(f, t) }",
        ["STRIDED_SLICE", "SHAPE", "SHAPE", "STRIDED_SLICE", "CONCATENATION", "BROADCAST_ARGS", "BROADCAST_TO"],
    ),
    "equal parts": (
        "(float[b,m,6] x) => (float[b,m,k] y) { p, q = Split<axis = 2, num_outputs = 2>(x)  y = Sub(p, q) }",
        ["SPLIT", "SUB"],
    ),
    "a row taken out": (
        "(float[b,3,6] x) => (float[b,6] y) { y = Gather<axis = 1>(x, first) }",
        ["STRIDED_SLICE", "RESHAPE"],
    ),
    "a target with one size that is open": (
        "(float[b,3,6] x) => (float[b,3,2,3] y) { t = Constant<value_ints = [0, 3, -1, 3]>()  y = Reshape(x, t) }",
        ["RESHAPE"],
    ),
    "overlapping windows added up": (
        "(float[b,3,6] x) => (float[b,1,2,5] y) { s = Constant<value_ints = [2, 5]>()"
        "  w = Constant<value_ints = [1, 3]>()  y = Col2Im(x, s, w) }",
        ["RESHAPE", "TRANSPOSE", "SHAPE", "STRIDED_SLICE", "CONCATENATION", "TRANSPOSE_CONV", "RESHAPE"],
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_these_operators_are_written(name: str) -> None:
    body, wanted = GRAPHS[name]
    model = parsed(body.replace(" {", f" <{TABLE}> {{", 1))
    assert operators(hub.to_tflite(ir.from_proto(model))) == wanted
    assert_same(model, [X])
