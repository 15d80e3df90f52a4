"""Weights of eight bits under numbers, and operators that quantise by themselves."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from ai_edge_litert.interpreter import OpResolverType
from onnx import TensorProto, helper, numpy_helper

from integration.quantized_graphs import (
    WITHOUT_XNNPACK,
    Graph,
    drawn,
    on_litert,
    on_numbers,
    operators,
    weights,
)
from isoform import hub
from saturation import exact_sums


@pytest.mark.parametrize("axis", [None, 0])
def test_weights_alone_in_eight_bits_stay_so_in_the_file_and_compute_as_numbers(axis: int | None) -> None:
    graph = Graph()
    graph.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 32, 5, 5]))
    scale = 0.002 if axis is None else np.linspace(0.001, 0.003, 64)
    y = graph.add("Conv", ["x", graph.weight(weights(64, 32, 3, 3), scale)])
    y = graph.add("GlobalAveragePool", [graph.add("Relu", [y])])
    y = graph.add("Flatten", [y])
    matrix = graph.weight(weights(64, 128), 0.003 if axis is None else np.linspace(0.001, 0.003, 128), axis=1)
    y = graph.add("MatMul", [y, matrix])
    graph.outputs.append(helper.make_tensor_value_info(y, TensorProto.FLOAT, [None, 128]))
    model = graph.model()
    content = hub.to_tflite(ir.from_proto(model))
    assert {"CONV_2D", "FULLY_CONNECTED", "DEQUANTIZE"} <= set(operators(content))
    assert len(content) < 64 * 32 * 9 + 64 * 128 + 8192
    feeds = {"x": np.random.default_rng(0).standard_normal((2, 32, 5, 5)).astype(np.float32)}
    for resolver in (OpResolverType.AUTO, WITHOUT_XNNPACK):
        [wanted], [found] = on_numbers(model, feeds), on_litert(content, feeds, resolver)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def recurrent(graph: Graph) -> tuple[int, list[Any]]:
    layers = graph.weight(weights(1, 24, 4), 0.005), graph.weight(weights(1, 24, 6), 0.005)
    graph.nodes.append(
        helper.make_node("LSTM", ["x", *layers, graph.weight(weights(1, 48), 0.005)], ["y"], hidden_size=6)
    )
    return TensorProto.FLOAT, [5, "batch", 4]


def embedding(graph: Graph) -> tuple[int, list[Any]]:
    graph.nodes.append(helper.make_node("Gather", [graph.weight(weights(300, 16), 0.005), "x"], ["y"]))
    return TensorProto.INT64, ["batch", 4]


def turned(graph: Graph) -> tuple[int, list[Any]]:
    matrix = graph.add("Transpose", [graph.weight(weights(5, 8), np.linspace(0.001, 0.003, 5))], perm=[1, 0])
    graph.nodes.append(helper.make_node("MatMul", ["x", matrix], ["y"]))
    return TensorProto.FLOAT, ["batch", 8]


@pytest.mark.parametrize("build", [embedding, recurrent, turned])
def test_layers_whose_weights_alone_are_integers_compute_as_numbers(
    build: Callable[[Graph], tuple[int, list[Any]]],
) -> None:
    graph = Graph()
    kind, shape = build(graph)
    graph.inputs.append(helper.make_tensor_value_info("x", kind, shape))
    rank = {embedding: 3, recurrent: 4, turned: 2}[build]
    graph.outputs.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank))
    model = graph.model()
    rng, sizes = np.random.default_rng(0), [size if isinstance(size, int) else 2 for size in shape]
    x = rng.integers(0, 300, sizes) if kind == TensorProto.INT64 else rng.standard_normal(sizes).astype(np.float32)
    [wanted] = on_numbers(model, {"x": x})
    content = hub.to_tflite(ir.from_proto(model))
    for resolver in (OpResolverType.AUTO, WITHOUT_XNNPACK):
        [found] = on_litert(content, {"x": x}, resolver)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def whole(inputs: Sequence[Any], op_type: str, constants: Sequence[Any], dtype: int, **attributes: Any) -> Any:
    """Return the model of one operator whose first input is computed, all others constant."""
    names = ["x"] + [f"c{index}" if array is not None else "" for index, array in enumerate(constants)]
    stored = [numpy_helper.from_array(np.asarray(array), f"c{index}") for index, array in enumerate(constants)
              if array is not None]  # fmt: skip
    node = helper.make_node(op_type, names, ["y"], name="n", **attributes)
    x = helper.make_tensor_value_info("x", inputs[0], inputs[1])
    y = helper.make_tensor_value_info("y", dtype, [None] * len(inputs[1]))
    graph = helper.make_graph([node], "g", [x], [y], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize("channels", [6, 900])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_products_that_end_in_int32_are_exact(channels: int, dtype: Any) -> None:
    """With 900 channels sums pass 2^24, where float32 loses integers."""
    rng = np.random.default_rng(channels)
    limits = np.iinfo(dtype)
    zero = np.array(7, np.uint8), np.array(3, dtype)
    kernel = rng.integers(limits.min, limits.max + 1, (5, channels, 1, 1)).astype(dtype)
    image = whole((TensorProto.UINT8, ["n", channels, 4, 4]), "ConvInteger", [kernel, *zero], TensorProto.INT32)
    matrix = np.ascontiguousarray(kernel.reshape(5, -1).T)
    rows = whole((TensorProto.UINT8, ["n", channels]), "MatMulInteger", [matrix, *zero], TensorProto.INT32)
    for model in (image, rows):
        feeds = drawn(model)
        x = feeds["x"].astype(np.int64) - 7
        wanted = np.einsum("nc...,oc->no...", x, kernel.reshape(5, -1).astype(np.int64) - 3)
        for resolver in (OpResolverType.AUTO, WITHOUT_XNNPACK):
            [found] = on_litert(hub.to_tflite(ir.from_proto(model)), feeds, resolver)
            np.testing.assert_array_equal(found, wanted)


@exact_sums
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_operators_that_quantise_by_themselves_become_integer_kernels(dtype: Any) -> None:
    offset = 128 if dtype == np.uint8 else 0
    scale, zero = np.float32(0.05), np.array(3 + offset, dtype)
    scales = np.linspace(0.001, 0.003, 5, dtype=np.float32)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    kernel, result = weights(5, 6, 3, 3).astype(np.int8), (np.float32(0.1), np.array(offset, dtype))
    bias = np.arange(-500, 500, 200, dtype=np.int32)
    conv_inputs = [scale, zero, kernel, scales, np.zeros(5, np.int8), *result, bias]
    images = whole((kind, ["n", 6, 7, 7]), "QLinearConv", conv_inputs, kind, pads=[1, 1, 1, 1])
    matrix = weights(8, 5).astype(np.int8)
    rows = whole((kind, ["n", 8]), "QLinearMatMul", [scale, zero, matrix, np.float32(0.002), np.int8(0), *result], kind)
    for model, kernel_name in ((images, "CONV_2D"), (rows, "FULLY_CONNECTED")):
        content, feeds = hub.to_tflite(ir.from_proto(model)), drawn(model)
        assert kernel_name in operators(content)
        assert "DEQUANTIZE" not in operators(content)
        for resolver in (OpResolverType.AUTO, WITHOUT_XNNPACK):
            [wanted], [found] = on_numbers(model, feeds), on_litert(content, feeds, resolver)
            assert np.abs(found.astype(int) - wanted).max() <= 1
            assert np.mean(found != wanted) < 0.05
