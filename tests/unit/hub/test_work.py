"""Multiply-accumulates and bytes by hand."""

import math
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from isoform.hub.macs import declared, is_layer, macs
from isoform.hub.work import counted
from unit.hub.quantize.networks import model_of

F32 = 4


def zeros(*shape: int) -> Any:
    return np.zeros(shape, np.float32)


def layer(op_type: str, *shapes: tuple[int, ...] | None, y: tuple[int, ...], domain: str = "", **more: Any) -> ir.Node:
    """Return a node of these sizes."""
    values = [None if shape is None else ir.Value(name=f"i{place}", shape=ir.Shape(shape))
              for place, shape in enumerate(shapes)]  # fmt: skip
    node = ir.node(op_type, values, more, domain=domain)
    node.outputs[0].shape = ir.Shape(y)
    return node


S = (1,)
"""The shape of a scale or a zero point."""


@pytest.mark.parametrize(("node", "expected"), [
    (layer("Conv", (1, 3, 8, 8), (4, 3, 3, 3), y=(1, 4, 6, 6)), 4 * 6 * 6 * 3 * 9),
    (layer("Conv", (1, 4, 8, 8), (4, 1, 3, 3), y=(1, 4, 6, 6), group=4), 4 * 6 * 6 * 9),
    (layer("QLinearConv", (1, 3, 8, 8), S, S, (4, 3, 3, 3), S, S, S, S, y=(1, 4, 6, 6)), 4 * 6 * 6 * 3 * 9),
    (layer("ConvTranspose", (2, 3, 5, 5), (3, 7, 2, 2), y=(2, 7, 10, 10)), 2 * 3 * 25 * 7 * 4),
    (layer("Gemm", (2, 6), (5, 6), y=(2, 5), transB=1), 2 * 5 * 6),
    (layer("Gemm", (6, 2), (6, 5), y=(2, 5), transA=1), 2 * 5 * 6),
    (layer("FusedMatMul", (3, 6, 2), (3, 6, 5), y=(3, 2, 5), domain="com.microsoft", transA=1), 3 * 2 * 5 * 6),
    (layer("QLinearMatMul", (2, 6), S, S, (6, 5), S, S, S, S, y=(2, 5)), 2 * 5 * 6),
    (layer("MatMul", (6,), (6, 5), y=(5,)), 30),
    (layer("MatMul", (3, 2, 6), (6,), y=(3, 2)), 36),
    (layer("MatMulNBits", (2, 6), (5, 1, 16), S, y=(2, 5), domain="com.microsoft", K=6, N=5), 60),
    (layer("LSTM", (7, 2, 3), (2, 16, 3), (2, 16, 4), y=(7, 2, 2, 4)), 7 * 2 * 2 * 16 * (3 + 4)),
    # 2 heads of 4 in [batch, heads, steps, size]: Q times K, weights times V
    (layer("Attention", (1, 2, 5, 4), (1, 2, 6, 4), (1, 2, 6, 3), y=(1, 2, 5, 3)), 2 * 5 * 6 * 4 + 2 * 5 * 6 * 3),
    (layer("MultiHeadAttention", (1, 5, 8), (1, 6, 8), (1, 6, 8), y=(1, 5, 8), domain="com.microsoft"), 2 * 5 * 6 * 8),
    (layer("Attention", (1, 5, 8), (8, 24), (24,), y=(1, 5, 8), domain="com.microsoft"), 5 * 8 * 24 + 2 * 5 * 5 * 8),
    (layer("Einsum", (2, 3, 4), (2, 4, 5), y=(2, 3, 5), equation="bij,bjk->bik"), 2 * 3 * 4 * 5),
    (layer("Einsum", (2, 3), (3, 4), (4, 5), y=(2, 5), equation="ij,jk,kl->il"), None),
])  # fmt: skip
def test_products_of_a_layer_follow_from_its_sizes(node: ir.Node, expected: int | None) -> None:
    assert is_layer(node)
    assert macs(node) == expected


def test_a_product_is_counted_from_its_weight_where_the_input_is_not_known() -> None:
    node = layer("Gemm", (2, 6), (5, 6), y=(2, 5), transB=1)
    assert macs(node, lambda value: None if value is node.inputs[0] else declared(value)) == 60


@pytest.mark.parametrize(
    "node", [layer("Add", (2,), (2,), y=(2,)), layer("Einsum", (2, 3), y=(3, 2), equation="ij->ji")]
)
def test_what_does_not_multiply_and_accumulate_is_no_layer(node: ir.Node) -> None:
    assert not is_layer(node)


def test_bytes_lie_between_each_moved_once_and_every_operator_through_memory() -> None:
    body = "a = Conv <pads = [1, 1, 1, 1]> (x, w) r = Relu(a) f = Flatten(r) y = MatMul(f, k)"
    model = model_of("float[n,3,8,8] x", "float[n,5] y", body, w=zeros(4, 3, 3, 3), k=zeros(256, 5))
    found = counted(model, {"x": (2, 3, 8, 8)})
    x, a, y, w, k = (F32 * math.prod(each) for each in ((2, 3, 64), (2, 4, 64), (2, 5), (4, 3, 9), (256, 5)))
    assert found.macs == 2 * 4 * 64 * 27 + 2 * 5 * 256
    assert (found.weight_bytes, found.input_bytes, found.output_bytes) == (w + k, x, y)
    assert found.fewest_bytes == w + k + x + y
    assert found.most_bytes == (x + w + a) + (a + a) + (a + k + y)  # a view moves nothing
    assert found.intensity == (found.flops / found.most_bytes, found.flops / found.fewest_bytes)


def test_of_a_table_only_the_rows_looked_up_are_read() -> None:
    model = model_of(
        "int64[n,7] x", "float[n,7,2] y", "e = Gather(t, x) y = MatMul(e, k)", t=zeros(9999, 3), k=zeros(3, 2)
    )
    found = counted(model, {"x": (1, 7)})
    assert found.weight_bytes == F32 * (7 * 3 + 3 * 2)


def test_weights_in_eight_bits_are_moved_in_eight_bits() -> None:
    model = model_of(
        "float[n,6] x", "float[n,5] y", "d = DequantizeLinear(q, s) y = MatMul(x, d)",
        q=np.zeros((6, 5), np.int8), s=np.float32(0.5),
    )  # fmt: skip
    found = counted(model, {"x": (1, 6)})
    assert found.weight_bytes == 30 + F32  # and the scale
    assert found.most_bytes == 6 * F32 + 30 + 5 * F32


def test_what_is_missing_is_said_and_gives_no_intensity() -> None:
    model = model_of("float[n,4] x, int64[2] s", "float[a,b] y", "r = Reshape(x, s) y = MatMul(r, w)", w=zeros(4, 3))
    found = counted(model, {"x": (2, 4), "s": (2,)})
    assert len(found.unknown) == 1
    assert found.intensity is None
