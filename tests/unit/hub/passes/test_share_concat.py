"""Concats that another one is the beginning of."""

import pytest
from onnx import parser

from isoform.hub import graph
from isoform.hub.passes.share_concat import share_concat

SIDES = "(float[n,2] a, float[n,2] b, float[n,2] c) => (float[n,4] y, float[n,k] z)"


def inputs(body: str) -> list[list[str | None]]:
    model = graph.load(parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18]> g {SIDES} {{ {body} }}'))
    graph.infer_shapes(model)
    share_concat(model)
    return [[value.name if value is not None else None for value in node.inputs] for node in model.graph]


def test_a_concat_reads_the_one_that_joins_its_first_inputs() -> None:
    assert inputs("y = Concat <axis = 1> (a, b)  z = Concat <axis = -1> (a, b, c)") == [["a", "b"], ["y", "c"]]


@pytest.mark.parametrize(
    "body",
    [
        "y = Concat <axis = 1> (a, b)  z = Concat <axis = 0> (a, b, c)",
        "y = Concat <axis = 1> (a, b)  z = Concat <axis = 1> (b, a, c)",
        "y = Concat <axis = 1> (b, c)  z = Concat <axis = 1> (a, b, c)",
        "z = Concat <axis = 1> (a, b, c)  y = Concat <axis = 1> (a, b)",
    ],
    ids=["another axis", "another order", "the last inputs", "too late"],
)
def test_a_concat_of_something_else_stays(body: str) -> None:
    found = inputs(body)
    assert sorted(map(len, found)) == [2, 3]
    assert not {"y", "z"} & {name for each in found for name in each}


def test_the_longest_beginning_counts() -> None:
    body = "y = Concat <axis = 1> (a, b)  t = Concat <axis = 1> (a, b, c)  z = Concat <axis = 1> (a, b, c, a)"
    assert inputs(body) == [["a", "b"], ["y", "c"], ["t", "a"]]
