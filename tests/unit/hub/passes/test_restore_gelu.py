"""Gelu read from how exporters write it out, and not from what only looks like it."""

import onnx_ir as ir
import pytest
from onnx import parser

from isoform.hub import graph
from isoform.hub.passes.restore_gelu import restore_gelu

ROOT, HALF_ROOT = "1.4142135381698608", "0.7071067690849304"
TANH = "t = Tanh(w) s = Add(t, one) p = Mul(x, s) y = Mul(p, half)"
TANH_NUMBERS = "float factor = {0.7978845834732056}, float cubic = {0.044714998453855515}, float three = {3.0}"


def operators(body: str, outputs: str = "float[n,3] y", half: str = "0.5") -> list[str]:
    """Return the operators of a graph after the pass."""
    return [node.op_type for node in restored(body, outputs, half)]


def restored(body: str, outputs: str = "float[n,3] y", half: str = "0.5") -> list[ir.Node]:
    """Return the nodes of a graph after the pass."""
    numbers = {"root": ROOT, "half_root": HALF_ROOT, "one": "1.0", "half": half}
    constants = ", ".join(f"float {name} = {{{number}}}" for name, number in numbers.items())
    constants += f", {TANH_NUMBERS}"
    signature = f"g (float[n,3] x, float[n,3] z) => ({outputs}) <{constants}>"
    text = f'<ir_version: 10, opset_import: ["" : 18]> {signature} {{ {body} }}'
    model = graph.load(parser.parse_model(text))
    restore_gelu(model)
    return list(model.graph)


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


@pytest.mark.parametrize("cube", ["c = Pow(x, three)", "q = Mul(x, x) c = Mul(q, x)"])
def test_the_approximation_by_tanh_is_an_attribute(cube: str) -> None:
    found = restored(f"{cube} k = Mul(c, cubic) a = Add(x, k) w = Mul(factor, a) {TANH}")
    assert [(node.op_type, node.attributes["approximate"].as_string()) for node in found] == [("Gelu", "tanh")]


@pytest.mark.parametrize(
    "body",
    [
        "c = Pow(x, three) k = Mul(c, factor) a = Add(x, k) w = Mul(factor, a)",
        "c = Pow(x, three) k = Mul(c, cubic) a = Add(x, k) w = Mul(cubic, a)",
        "c = Pow(x, one) k = Mul(c, cubic) a = Add(x, k) w = Mul(factor, a)",
        "c = Pow(z, three) k = Mul(c, cubic) a = Add(x, k) w = Mul(factor, a)",
        "c = Pow(x, three) k = Mul(c, cubic) a = Add(z, k) w = Mul(factor, a)",
    ],
    ids=["another cubic term", "another factor", "another power", "the cube of another", "the sum with another"],
)
def test_what_only_looks_like_the_approximation_stays(body: str) -> None:
    assert "Tanh" in [node.op_type for node in restored(f"{body} {TANH}")]
