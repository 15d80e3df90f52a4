"""What a Loop carries has the sizes that it begins with only where no round changes them."""

import onnx.parser
import onnx_ir as ir
import pytest

from isoform.hub import graph
from isoform.hub.passes.describe_bodies import describe_bodies
from isoform.hub.passes.simplify import simplify

TURN = (
    "(float[n,4] x, float[m,4] z, int64 k) => (float[p,4] y, float[q,4] w, float[r,s,4] every) <bool go = {1}> {"
    " y, w, every = Loop(k, go, x, z)<body = turn (int64 i, bool on, float[n,4] a, float[n,4] b)"
    " => (bool on_, float[c,4] a_, float[d,4] b_, float[e,4] out) { on_ = Identity(on)  STEP }> }"
)
NESTED = (
    "(float[n,4] x, int64 k) => (float[p,4] y) <bool go = {1}> { y = Loop(k, go, x)<"
    "body = outer (int64 i, bool on, float[a,4] before) => (bool on_, float[b,4] after) {"
    " on_ = Identity(on)  after = Loop(k, go, before)<"
    "body = inner (int64 j, bool go_on, float[c,4] given) => (bool go_on_, float[d,4] found) {"
    " go_on_ = Identity(go_on)  found = STEP }> }> }"
)


def described(text: str) -> ir.Model:
    loaded = graph.load(onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 19]> main {text}'))
    simplify(loaded)
    describe_bodies(loaded)
    return loaded


def names(value: ir.Value) -> list[int | str | None]:
    """The sizes of a value; ``?`` for a name that is none of the inputs' dimensions."""
    assert value.shape is not None
    dims = [dim if isinstance(dim, int) else dim.value for dim in value.shape]
    return [dim if isinstance(dim, int) or dim in ("n", "m") else "?" for dim in dims]


@pytest.mark.parametrize(
    ("step", "first", "second", "out"),
    [
        ("a_ = Tanh(a)  b_ = Relu(b)  out = Neg(a)", ["n", 4], ["m", 4], ["n", 4]),
        ("a_ = Tanh(a)  b_ = Add(b, a)  out = Neg(b)", ["n", 4], ["?", 4], ["?", 4]),
        ("a_ = Concat<axis: int = 0>(a, a)  b_ = Relu(b)  out = Neg(b)", ["?", 4], ["m", 4], ["m", 4]),
        ("a_ = Identity(b)  b_ = Identity(a)  out = Neg(a)", ["?", 4], ["?", 4], ["?", 4]),
        ("a_ = Concat<axis: int = 0>(a, x)  b_ = Add(a, b)  out = Neg(x)", ["?", 4], ["?", 4], ["n", 4]),
    ],
    ids=["kept", "mixed", "growing", "exchanged", "one-grows-through-the-other"],
)  # fmt: skip
def test_sizes_that_a_round_may_change_are_given_up(step: str, first: list, second: list, out: list) -> None:
    loop = next(node for node in described(TURN.replace("STEP", step)).graph if node.op_type == "Loop")
    body = loop.attributes["body"].as_graph()
    assert [names(body.inputs[2]), names(body.inputs[3])] == [first, second]
    assert names(body.outputs[3]) == out


@pytest.mark.parametrize(("step", "size"), [("Tanh(given)", "n"), ("Concat<axis: int = 0>(given, x)", "?")])
def test_a_loop_keeps_what_the_loop_inside_keeps(step: str, size: str) -> None:
    outer = described(NESTED.replace("STEP", step)).graph[-1].attributes["body"].as_graph()
    inner = next(node for node in outer if node.op_type == "Loop").attributes["body"].as_graph()
    assert [names(outer.inputs[2]), names(inner.inputs[2]), names(inner.outputs[1])] == [[size, 4]] * 3


def test_what_an_exporter_names_in_a_body_is_not_believed() -> None:
    step = "a_ = Concat<axis: int = 0>(a, a)  b_ = Relu(b)  out = Neg(a)"
    loaded = described(TURN.replace("STEP", step).replace("float[c,4] a_", "float[n,4] a_"))
    body = next(node for node in loaded.graph if node.op_type == "Loop").attributes["body"].as_graph()
    assert names(body.outputs[1]) == ["?", 4]
