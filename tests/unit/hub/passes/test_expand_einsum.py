"""Einsum as matrix products: the same numbers as numpy's own, and nothing else touched."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.expand_einsum import expand_einsum

SIZES = {"b": 2, "t": 3, "s": 4, "n": 5, "h": 6}


def expanded(equation: str) -> list[str]:
    """Return the operators that stand for an equation, their numbers seen to be numpy's."""
    operands, _, output = equation.partition("->")
    left, right = operands.split(",")
    dims = [",".join(str(SIZES[label]) for label in labels) for labels in (left, right, output)]
    proto = parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 18]> g (float[{dims[0]}] x, float[{dims[1]}] z) => (float[{dims[2]}] y) '
        f'{{ y = Einsum<equation="{equation}">(x, z) }}'
    )
    model = graph.load(proto)
    expand_einsum(model)
    after = ir.to_proto(model)
    onnx.checker.check_model(after)
    rng = np.random.default_rng(0)
    x, z = (rng.normal(size=[SIZES[label] for label in labels]).astype(np.float32) for labels in (left, right))
    [found] = ReferenceEvaluator(after).run(None, {"x": x, "z": z})
    np.testing.assert_allclose(found, np.einsum(equation, x, z), rtol=1e-5, atol=1e-5)
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize(
    ("equation", "operators"),
    [
        ("bth,bhs->bts", ["MatMul"]),
        ("btnh,bsnh->bnts", ["Transpose", "Transpose", "MatMul"]),
        ("bnts,bsnh->btnh", ["Transpose", "MatMul", "Transpose"]),
        ("th,sh->st", ["Transpose", "MatMul", "Transpose"]),
    ],
)
def test_a_batch_of_products_is_one(equation: str, operators: list[str]) -> None:
    assert expanded(equation) == operators


@pytest.mark.parametrize("equation", ["bth,bh->bt", "bth,bts->bhs", "tnh,snh->ts", "bth,bth->bth", "tb,sh->tsbh"])
def test_every_other_equation_keeps_its_meaning(equation: str) -> None:
    kinds = expanded(equation)
    assert kinds == ["Einsum"] or "MatMul" in kinds
