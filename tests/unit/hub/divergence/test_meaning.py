"""What is named first where a rewriting and a fault stand in one graph: a factor that moves aside is no fault."""

from pathlib import Path

import numpy as np
import onnx_ir as ir

from isoform.core.artifact import Artifact
from isoform.core.signature import Signature
from isoform.hub.divergence import traced
from isoform.hub.divergence.meaning import Comparison, Difference

TABLE = np.random.default_rng(7).normal(size=(6, 6)).astype(np.float32)


def attention(left: float, right: float, offset: float) -> traced.Traced:
    """Return scores of scaled queries and keys, an offset, and a softmax: by the factors' product alone, in the end."""
    x = ir.val("x", ir.DataType.FLOAT, ["n", 6])
    table, *factors = (
        ir.val(name, const_value=ir.tensor(np.asarray(value, np.float32), name=name))
        for name, value in (("table", TABLE), ("left", left), ("right", right), ("offset", offset))
    )
    keys = ir.node("MatMul", [x, table], name="keys")
    moved = ir.node("Transpose", [keys.outputs[0]], {"perm": [1, 0]}, name="moved")
    one = ir.node("Mul", [x, factors[0]], name="scaled_queries")
    other = ir.node("Mul", [moved.outputs[0], factors[1]], name="scaled_keys")
    scores = ir.node("MatMul", [one.outputs[0], other.outputs[0]], name="scores")
    shifted = ir.node("Add", [scores.outputs[0], factors[2]], name="shifted")
    relu = ir.node("Relu", [shifted.outputs[0]], name="relu")
    nodes = [keys, moved, one, other, scores, shifted, relu]
    for node in nodes:
        node.outputs[0].name, node.outputs[0].type = f"{node.name}_out", ir.TensorType(ir.DataType.FLOAT)
    model = ir.Model(
        ir.Graph([x], relu.outputs, nodes=nodes, initializers=[table, *factors], opset_imports={"": 20}), ir_version=10
    )
    return traced.of_graph(Artifact("onnx", Path("m.onnx"), Signature((), ())), model)


def first(left: float, right: float, offset: float) -> Difference | None:
    """Return where a graph with these factors parts from one with a quarter on the left and a half on the right."""
    rng = np.random.default_rng(0)
    cases = [{"x": rng.normal(size=(rows, 6)).astype(np.float32)} for rows in (3, 5)]
    return Comparison(attention(0.25, 0.5, 0.1), attention(left, right, offset), cases).first()


def test_a_fault_behind_a_factor_that_moved_aside_is_named() -> None:
    found = first(0.5, 0.25, 0.2)
    assert found is not None
    assert [step.title for step in found.steps] == ["shifted"]
    assert not found.others


def test_a_factor_that_is_another_one_is_named() -> None:
    found = first(0.3, 0.5, 0.1)
    assert found is not None
    assert [step.title for step in found.steps] == ["scaled_queries"]


def two(first: str, second: str) -> traced.Traced:
    """Return a graph whose outputs ``a`` and ``b`` are what these operators give."""
    x = ir.val("x", ir.DataType.FLOAT, ["n", 6])
    nodes = [ir.node(op, [x], name=f"of_{name}") for name, op in {"a": first, "b": second}.items()]
    for node in nodes:
        node.outputs[0].name, node.outputs[0].type = node.name[-1], ir.TensorType(ir.DataType.FLOAT)
    graph = ir.Graph([x], [node.outputs[0] for node in nodes], nodes=nodes, opset_imports={"": 20})
    return traced.of_graph(Artifact("onnx", Path("m.onnx"), Signature((), ())), ir.Model(graph, ir_version=10))


def test_outputs_that_changed_places_differ_although_every_tensor_is_one_of_the_reference() -> None:
    cases = [{"x": np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)}]
    whole, swapped = two("Relu", "Tanh"), two("Tanh", "Relu")
    assert Comparison(whole, swapped, cases).differing == ["a", "b"]
    assert Comparison(whole, whole, cases).differing == []
