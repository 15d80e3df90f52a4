"""What only moves numbers, in quantised graphs: integers are moved, and stay the same."""

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from ai_edge_litert.interpreter import OpResolverType
from onnx import TensorProto, helper

from integration.quantized_graphs import (
    WITHOUT_XNNPACK,
    Graph,
    drawn,
    images,
    on_litert,
    on_numbers,
    operators,
    weights,
)
from isoform import hub


def moves_all_the_way(graph: Graph) -> None:
    """Every operator that only moves, between a convolution and a product."""
    y = graph.add("Conv", [images(graph), graph.weight(weights(6, 6, 1, 1), 0.002)])
    y = graph.add("Pad", [y, graph.constant(np.array([0, 0, 1, 0, 0, 0, 0, 2]))])
    y = graph.add("Slice", [y, *(graph.constant(np.array([end])) for end in (0, 8, 2))])
    y = graph.add("Transpose", [y], perm=[0, 2, 1, 3])
    y = graph.add("Reshape", [y, graph.constant(np.array([0, -1, 11]))])
    y = graph.add("Gather", [y, graph.constant(np.array([5, 1, 7, 0]))], axis=1)
    y = graph.add("Unsqueeze", [y, graph.constant(np.array([1]))])
    y = graph.add("Expand", [y, graph.constant(np.array([1, 3, 1, 1]))])
    y = graph.add("Tile", [y, graph.constant(np.array([1, 1, 2, 1]))])
    y = graph.add("Slice", [y, *(graph.constant(np.array([end])) for end in (0, 1, 1))])
    y = graph.add("Squeeze", [y, graph.constant(np.array([1]))])
    graph.output(y, 3)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_integers_are_moved_where_numbers_would_be(dtype: str) -> None:
    graph = Graph(dtype)
    moves_all_the_way(graph)
    model = graph.model()
    content = hub.to_tflite(ir.from_proto(model))
    assert not {"DEQUANTIZE", "CAST"} & set(operators(content))
    feeds = drawn(model)
    for resolver in (OpResolverType.AUTO, WITHOUT_XNNPACK):
        [wanted], [found] = on_numbers(model, feeds), on_litert(content, feeds, resolver)
        assert found.shape == wanted.shape
        assert np.abs(found.astype(int) - wanted).max() <= 1


MOVES: dict[str, tuple[list[np.ndarray], dict[str, Any]]] = {
    "DepthToSpace": ([], {"blocksize": 2}),
    "SpaceToDepth": ([], {"blocksize": 3}),
    "Flatten": ([], {"axis": 2}),
    "Pad reflect": ([np.array([0, 0, 1, 2, 0, 0, 3, 4])], {"mode": "reflect"}),
    "Pad edge": ([np.array([0, 0, 1, 2, 0, 0, 3, 4])], {"mode": "edge"}),
    "Pad constant": ([np.array([0, 0, 1, 2, 0, 0, 3, 4]), np.float32(0.5)], {}),
    "Gather": ([np.array([[1, 0], [3, 2]])], {"axis": 1}),
    "Expand": ([np.array([2, 1, 1, 1, 1])], {}),
    "Tile": ([np.array([1, 2, 1, 1])], {}),
}


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("name", MOVES)
def test_what_is_moved_is_the_same_integers(name: str, dtype: str) -> None:
    graph = Graph(dtype)
    x = graph.add("Relu", [graph.input("x", ["batch", 4, 9, 9], 0.05, -20)])
    graph.nodes.append(helper.make_node("QuantizeLinear", [x, *graph.scale(0.05, -20)], ["q"]))
    graph.nodes.append(helper.make_node("DequantizeLinear", ["q", *graph.scale(0.05, -20)], ["r"]))
    others, attributes = MOVES[name]
    y = graph.add(name.split(" ")[0], ["r", *map(graph.constant, others)], **attributes)
    graph.output(y, {"Expand": 5, "Gather": 5, "Flatten": 2}.get(name, 4), 0.05, -20)
    model = graph.model()
    content = hub.to_tflite(ir.from_proto(model))
    assert not {"DEQUANTIZE", "QUANTIZE"} & set(operators(content)) - ({"QUANTIZE"} if dtype == "uint8" else set())
    feeds = drawn(model)
    for resolver in (OpResolverType.AUTO, WITHOUT_XNNPACK):
        [wanted], [found] = on_numbers(model, feeds), on_litert(content, feeds, resolver)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_border_of_integers_is_the_integer_0(dtype: str) -> None:
    """The graph pads integers itself: not with what stands for 0."""
    graph = Graph(dtype)
    x = graph.add("Relu", [graph.input("x", ["batch", 4], 0.05, -20)])
    graph.nodes.append(helper.make_node("QuantizeLinear", [x, *graph.scale(0.05, -20)], ["q"]))
    graph.nodes.append(helper.make_node("Pad", ["q", graph.constant(np.array([0, 1, 0, 2]))], ["p"]))
    graph.nodes.append(helper.make_node("DequantizeLinear", ["p", *graph.scale(0.05, -20)], ["r"]))
    graph.output(graph.add("Relu", ["r"]), 2, 0.05, -20)
    model = graph.model()
    content = hub.to_tflite(ir.from_proto(model))
    feeds = drawn(model)
    for resolver in (OpResolverType.AUTO, WITHOUT_XNNPACK):
        [wanted], [found] = on_numbers(model, feeds), on_litert(content, feeds, resolver)
        np.testing.assert_array_equal(found, wanted)


def test_a_split_joined_again_stays_in_integers() -> None:
    graph = Graph("uint8")
    x = images(graph)
    graph.nodes.append(helper.make_node("Split", [x], ["a", "b"], axis=1, num_outputs=2))
    graph.output(graph.add("Concat", ["b", "a"], axis=1), 4, scale=0.05, zero=3)
    model = graph.model()
    content = hub.to_tflite(ir.from_proto(model))
    feeds = drawn(model)
    [wanted], [found] = on_numbers(model, feeds), on_litert(content, feeds, OpResolverType.AUTO)
    np.testing.assert_array_equal(found, wanted)
    assert set(operators(content)) == {"SPLIT", "CONCATENATION"}


def test_a_result_that_others_read_as_numbers_stays_numbers() -> None:
    graph = Graph()
    y = graph.add("Add", [graph.input("x", ["batch", 5]), graph.input("z", ["batch", 5])])
    graph.output(y, 2)
    graph.nodes.append(helper.make_node("Softplus", [y], ["real"]))
    graph.outputs.append(helper.make_tensor_value_info("real", TensorProto.FLOAT, [None, 5]))
    model = graph.model()
    feeds = drawn(model)
    wanted = on_numbers(model, feeds)
    found = on_litert(hub.to_tflite(ir.from_proto(model)), feeds, OpResolverType.AUTO)
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-5)
