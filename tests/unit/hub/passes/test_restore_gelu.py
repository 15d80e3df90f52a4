"""Gelu read from how exporters write it out, and not from what only looks like it."""

import pytest
from onnx import parser

from isoform.hub import graph
from isoform.hub.passes.restore_gelu import restore_gelu

ROOT, HALF_ROOT = "1.4142135381698608", "0.7071067690849304"


def operators(body: str, outputs: str = "float[n,3] y", half: str = "0.5") -> list[str]:
    """Return the operators of a graph after the pass."""
    numbers = {"root": ROOT, "half_root": HALF_ROOT, "one": "1.0", "half": half}
    constants = ", ".join(f"float {name} = {{{number}}}" for name, number in numbers.items())
    signature = f"g (float[n,3] x, float[n,3] z) => ({outputs}) <{constants}>"
    text = f'<ir_version: 10, opset_import: ["" : 18]> {signature} {{ {body} }}'
    model = graph.load(parser.parse_model(text))
    restore_gelu(model)
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize(
    "body",
    [
        "d = Div(x, root) e = Erf(d) s = Add(e, one) p = Mul(x, s) y = Mul(p, half)",
        "d = Div(x, root) e = Erf(d) s = Add(e, one) h = Mul(half, x) y = Mul(h, s)",
        "d = Mul(half_root, x) e = Erf(d) s = Add(one, e) h = Mul(s, half) y = Mul(x, h)",
    ],
)
def test_the_idiom_is_one_operator_in_any_order_of_its_factors(body: str) -> None:
    assert operators(body) == ["Gelu"]


@pytest.mark.parametrize(
    ("body", "half"),
    [
        ("d = Div(x, one) e = Erf(d) s = Add(e, one) p = Mul(x, s) y = Mul(p, half)", "0.5"),
        ("d = Div(x, root) e = Erf(d) s = Add(e, half) p = Mul(x, s) y = Mul(p, half)", "0.5"),
        ("d = Div(root, x) e = Erf(d) s = Add(e, one) p = Mul(x, s) y = Mul(p, half)", "0.5"),
        ("d = Div(z, root) e = Erf(d) s = Add(e, one) p = Mul(x, s) y = Mul(p, half)", "0.5"),
        ("d = Div(x, root) e = Erf(d) s = Add(e, one) p = Mul(x, s) y = Mul(p, half)", "0.25"),
    ],
    ids=["another divisor", "another sum", "divided the other way", "another tensor", "another factor"],
)
def test_what_only_looks_like_it_stays(body: str, half: str) -> None:
    assert "Gelu" not in operators(body, half=half)


def test_a_product_that_somebody_else_reads_stays_for_them() -> None:
    body = "d = Div(x, root) e = Erf(d) s = Add(e, one) p = Mul(x, s) y = Mul(p, half)"
    assert "Erf" in operators(body, "float[n,3] y, float[n,3] p")
