"""Arithmetic that changes nothing is left out; what only looks like it stays."""

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest

from isoform.hub import graph
from isoform.hub.passes.drop_neutral import drop_neutral
from isoform.hub.passes.fold_weights import mark_parameters


def operators_after(
    op: str, x: ir.Value, other: np.ndarray, is_first: bool = False, is_marked: bool = False
) -> list[str]:
    constant = ir.val("c", const_value=ir.tensor(other, name="c"))
    if is_marked:
        mark_parameters([constant])
    node = ir.node(op, [constant, x] if is_first else [x, constant])
    last = ir.node("Abs" if x.dtype != ir.DataType.BOOL else "Not", node.outputs)
    graph = ir.Graph([x], last.outputs, nodes=[node, last], initializers=[constant], opset_imports={"": 18}, name="g")
    drop_neutral(ir.Model(graph, ir_version=9))
    return [node.op_type for node in graph][:-1]


def value(dtype: ir.DataType, rank: int) -> ir.Value:
    return ir.val("x", dtype, [f"d{axis}" for axis in range(rank)])


FLOAT, INT, BOOL = ir.DataType.FLOAT, ir.DataType.INT64, ir.DataType.BOOL


@pytest.mark.parametrize(
    ("op", "dtype", "other", "is_first"),
    [
        ("Mul", FLOAT, np.float32(1), False), ("Mul", FLOAT, np.float32([1]), True),
        ("Div", FLOAT, np.float32(1), False),
        ("Add", INT, np.int64(0), True), ("Sub", INT, np.int64([[0]]), False), ("And", BOOL, np.bool_(True), False),
        ("Or", BOOL, np.bool_(False), True),
    ],
)  # fmt: skip
def test_a_neutral_operand_goes(op: str, dtype: ir.DataType, other: np.ndarray, is_first: bool) -> None:
    assert operators_after(op, value(dtype, 2), np.asarray(other), is_first) == []


@pytest.mark.parametrize(
    ("op", "dtype", "other", "is_first"),
    [
        ("Mul", FLOAT, np.float32(2), False),
        ("Mul", FLOAT, np.ones(3, np.float32), False),  # broadcasts
        ("Mul", FLOAT, np.ones((1, 1, 1), np.float32), False),  # gives a third axis
        ("Div", FLOAT, np.float32(1), True),  # the reciprocal
        ("Sub", INT, np.int64(0), True),  # the negative
        ("Add", FLOAT, np.float32(0), False),  # -0 + 0 is 0
        ("And", BOOL, np.bool_(False), False),
    ],
)
def test_what_changes_something_stays(op: str, dtype: ir.DataType, other: np.ndarray, is_first: bool) -> None:
    assert operators_after(op, value(dtype, 2), np.asarray(other), is_first) == [op]


@pytest.mark.parametrize(("source", "is_dropped"), [(INT, True), (FLOAT, False)])
def test_a_cast_to_the_same_dtype_goes(source: ir.DataType, is_dropped: bool) -> None:
    x = value(source, 1)
    cast = ir.node("Cast", [x], {"to": int(INT)})
    cast.outputs[0].dtype = INT
    last = ir.node("Abs", cast.outputs)
    graph = ir.Graph([x], last.outputs, nodes=[cast, last], opset_imports={"": 18}, name="g")
    drop_neutral(ir.Model(graph, ir_version=9))
    assert (len(graph) == 1) == is_dropped


def test_a_parameter_that_happens_to_be_one_stays() -> None:
    assert operators_after("Mul", value(FLOAT, 2), np.asarray(np.float32(1)), is_marked=True) == ["Mul"]


def scattered(text: str) -> list[str]:
    proto = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 19]> g {text}')
    model = ir.from_proto(proto)
    graph.infer_shapes(model)
    drop_neutral(model)
    return [f"{node.op_type}/{len(node.inputs)}" for node in model.graph]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Concat<axis = 0>(e, x)", "Concat<axis = 0>(x, e, x)"),
        ("ScatterND(x, i, e)", "Concat<axis = 0>(x, x)"),
        ("ScatterElements<axis = 0>(x, j, e)", "Concat<axis = 0>(e, x, x, e)"),
    ],
)
def test_what_joins_or_scatters_no_element_goes(first: str, second: str) -> None:
    head = "(float[4,n] x, float[0,n] e, int64[0,1] i, int64[0,n] j) => (float[4,n] y, float[8,n] z)"
    found = scattered(f"{head} {{ c = {first}  y = Abs(c)  d = {second}  z = Abs(d) }}")
    assert found == ["Abs/1", "Concat/2", "Abs/1"]


def test_of_parts_that_are_all_empty_one_stays() -> None:
    assert scattered("(float[0,n] e) => (float[0,n] y) { c = Concat<axis = 0>(e, e)  y = Abs(c) }") == ["Abs/1"]
