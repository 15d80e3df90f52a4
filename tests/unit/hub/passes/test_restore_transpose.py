"""Exchanges of two axes between Reshapes."""

import pytest
from onnx import parser

from isoform.hub import graph
from isoform.hub.passes.restore_transpose import restore_transpose


def operators(target: str, perm: str = "0, 2, 1", joined: str = "-1, 5, 16", outputs: str = "") -> list[str]:
    constants = f"int64[3] joined = {{{joined}}}, int64[4] parted = {{{target}}}"
    body = f"a = Reshape(x, joined)  t = Transpose <perm = [{perm}]> (a)  b = Reshape(t, parted)  y = Neg(b)"
    sides = f"(float[3,4,5,16] x) => (float[i,j,k,l] y{outputs})"
    text = f'<ir_version: 10, opset_import: ["" : 18]> g {sides} <{constants}> {{ {body} }}'
    model = graph.load(parser.parse_model(text))
    graph.infer_shapes(model)
    restore_transpose(model)
    last = model.graph.node(len(model.graph) - 1).inputs[0]
    assert last is not None
    made = last.producer()
    assert made is not None
    if made.op_type == "Transpose":
        assert list(made.attributes["perm"].as_ints()) == [0, 1, 3, 2]
        assert made.inputs[0] is model.graph.inputs[0]
    return [node.op_type for node in model.graph]


def test_an_exchange_with_the_first_axes_joined_is_one_transpose() -> None:
    assert operators("3, 4, 16, 5")[-2:] == ["Transpose", "Neg"]


@pytest.mark.parametrize(
    ("target", "perm", "joined"),
    [
        ("4, 3, 16, 5", "0, 2, 1", "-1, 5, 16"),
        ("3, 4, 5, 16", "0, 2, 1", "-1, 5, 16"),
        ("3, 4, 16, 5", "1, 0, 2", "-1, 5, 16"),
        ("3, 4, 16, 5", "0, 2, 1", "-1, 16, 5"),
    ],
    ids=["parted otherwise", "not exchanged", "another order", "joined otherwise"],
)
def test_other_orders_stay(target: str, perm: str, joined: str) -> None:
    assert operators(target, perm, joined)[-2:] == ["Reshape", "Neg"]


def test_a_tensor_that_somebody_else_reads_stays_for_them() -> None:
    assert operators("3, 4, 16, 5", outputs=", float[m,n,o] t")[-2:] == ["Reshape", "Neg"]
