"""Operators of quantised graphs on LiteRT's integer kernels, beside ONNX Runtime computing each on numbers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from ai_edge_litert.interpreter import OpResolverType

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


def conv(graph: Graph) -> None:
    bias = graph.constant(np.linspace(-1, 1, 5, dtype=np.float32))
    weight = graph.weight(weights(5, 6, 3, 3), 0.002)
    graph.output(graph.add("Conv", [images(graph), weight, bias], pads=[1, 1, 1, 1], strides=[2, 2]), 4)


def conv_of_channels(graph: Graph) -> None:
    weight = graph.weight(weights(5, 6, 3, 3), np.linspace(0.001, 0.003, 5))
    y = graph.add("Relu", [graph.add("Conv", [images(graph), weight])])
    graph.output(y, 4, zero=-20)


def conv_in_groups(graph: Graph) -> None:
    weight = graph.weight(weights(4, 3, 3, 3), np.linspace(0.001, 0.003, 4))
    graph.output(graph.add("Conv", [images(graph), weight], group=2, pads=[1, 1, 1, 1]), 4)


def depthwise(graph: Graph) -> None:
    weight = graph.weight(weights(12, 1, 3, 3), np.linspace(0.005, 0.01, 12))
    six = graph.constant(np.float32(6)), graph.constant(np.float32(0))
    y = graph.add("Conv", [images(graph), weight], group=6, pads=[1, 1, 1, 1])
    graph.output(graph.add("Clip", [y, six[1], six[0]]), 4, scale=6 / 255, zero=-128)


def conv_of_rounded_weights(graph: Graph) -> None:
    """Weights as numbers, rounded by the graph itself."""
    kernel = graph.constant((weights(5, 6, 3, 3) * 0.002).astype(np.float32))
    scales = graph.constant(np.linspace(0.001, 0.003, 5, dtype=np.float32)), graph.constant(np.zeros(5, np.int8))
    rounded = graph.add("QuantizeLinear", [kernel, *scales], axis=0)
    graph.output(graph.add("Conv", [images(graph), graph.add("DequantizeLinear", [rounded, *scales], axis=0)]), 4)


def conv_transposed(graph: Graph) -> None:
    weight = graph.weight(weights(6, 5, 3, 3), np.linspace(0.001, 0.003, 5), axis=1)
    graph.output(graph.add("ConvTranspose", [images(graph), weight], strides=[2, 2], pads=[1, 1, 1, 1]), 4)


def conv_transposed_with_bias(graph: Graph) -> None:
    weight, bias = graph.weight(weights(6, 5, 2, 2), 0.002), graph.constant(np.linspace(-1, 1, 5, dtype=np.float32))
    graph.output(graph.add("ConvTranspose", [images(graph), weight, bias], strides=[2, 2]), 4)


def gemm(graph: Graph) -> None:
    weight = graph.weight(weights(7, 8), np.linspace(0.002, 0.004, 7))
    bias = graph.weight(weights(7), 0.01)
    graph.output(graph.add("Gemm", [graph.input("x", ["batch", 8]), weight, bias], transB=1), 2)


def matmul(graph: Graph) -> None:
    weight = graph.weight(weights(8, 7), np.linspace(0.002, 0.004, 7), axis=1)
    graph.output(graph.add("MatMul", [graph.input("x", ["batch", 5, 8]), weight]), 3)


def matmul_of_two(graph: Graph) -> None:
    sides = graph.input("x", ["batch", 3, 5, 8]), graph.input("z", ["batch", 3, 8, 4], 0.02, 0)
    graph.output(graph.add("MatMul", sides), 4)


def matmul_around_another_zero(graph: Graph) -> None:
    sides = graph.input("x", ["batch", 3, 5, 8]), graph.input("z", ["batch", 3, 8, 4], 0.02, -9)
    graph.output(graph.add("MatMul", sides), 4)


def two(op_type: str) -> Callable[[Graph], None]:
    def build(graph: Graph) -> None:
        sides = graph.input("x", ["batch", 4, 5], 0.04, 7), graph.input("z", ["batch", 4, 5], 0.02, -9)
        graph.output(graph.add(op_type, sides), 3, scale=0.06)

    return build


def two_alike(op_type: str) -> Callable[[Graph], None]:
    def build(graph: Graph) -> None:
        sides = graph.input("x", ["batch", 4, 5], 0.1, -5), graph.input("z", ["batch", 4, 5], 0.1, -5)
        graph.output(graph.add(op_type, sides), 3)

    return build


def add_weight(graph: Graph) -> None:
    y = graph.add("Add", [graph.input("x", ["batch", 4, 5]), graph.weight(weights(5), 0.01)])
    graph.output(graph.add("Relu", [y]), 3, scale=0.04)


def mul_number(graph: Graph) -> None:
    graph.output(graph.add("Mul", [graph.input("x", ["batch", 4, 5]), graph.constant(np.float32(0.7))]), 3, scale=0.04)


def one(op_type: str, scale: float, zero: int, **attributes: Any) -> Callable[[Graph], None]:
    def build(graph: Graph) -> None:
        graph.output(graph.add(op_type, [graph.input("x", ["batch", 4, 5])], **attributes), 3, scale=scale, zero=zero)

    return build


def concat(graph: Graph) -> None:
    sides = images(graph), graph.input("z", ["batch", 3, 9, 9], 0.02, -9)
    graph.output(graph.add("Concat", sides, axis=1), 4, scale=0.05, zero=3)


def max_pool(graph: Graph) -> None:
    y = graph.add("MaxPool", [images(graph)], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 1, 0])
    graph.output(y, 4, scale=0.06, zero=0)


def average_pool(graph: Graph) -> None:
    y = graph.add("AveragePool", [images(graph)], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    graph.output(y, 4, scale=0.05, zero=3)


def global_average_pool(graph: Graph) -> None:
    graph.output(graph.add("GlobalAveragePool", [images(graph)]), 4, scale=0.01)


def mean(graph: Graph) -> None:
    axes = graph.constant(np.array([2, 3]))
    graph.output(graph.add("ReduceMean", [images(graph), axes], keepdims=0), 2, scale=0.01)


def resize(mode: str, coordinates: str) -> Callable[[Graph], None]:
    def build(graph: Graph) -> None:
        factors = graph.constant(np.array([1, 1, 2, 2], np.float32))
        attributes = {"mode": mode, "coordinate_transformation_mode": coordinates, "nearest_mode": "floor"}
        graph.output(graph.add("Resize", [images(graph), "", factors], **attributes), 4, scale=0.05, zero=3)

    return build


def conv_of_one_axis(graph: Graph) -> None:
    weight = graph.weight(weights(5, 6, 3), np.linspace(0.001, 0.003, 5))
    graph.output(graph.add("Conv", [graph.input("x", ["batch", 6, 20]), weight], pads=[1, 1]), 3)


def prelu(graph: Graph) -> None:
    graph.output(graph.add("PRelu", [images(graph), graph.weight(weights(6, 1, 1), 0.01)]), 4)


def largest(graph: Graph) -> None:
    y = graph.add("ReduceMax", [images(graph), graph.constant(np.array([2, 3]))], keepdims=0)
    graph.output(y, 2, scale=0.05, zero=3)


def product_with_itself_turned(graph: Graph) -> None:
    left, right = graph.input("x", ["batch", 2, 5, 8]), graph.input("z", ["batch", 2, 5, 8], 0.03, 0)
    graph.output(graph.add("MatMul", [left, graph.add("Transpose", [right], perm=[0, 1, 3, 2])]), 4, scale=0.3)


KERNELS: dict[str, tuple[Callable[[Graph], None], str]] = {
    "conv": (conv, "CONV_2D"),
    "conv of channels": (conv_of_channels, "CONV_2D"),
    "conv of rounded weights": (conv_of_rounded_weights, "CONV_2D"),
    "conv transposed": (conv_transposed, "TRANSPOSE_CONV"),
    "conv transposed with bias": (conv_transposed_with_bias, "TRANSPOSE_CONV"),
    "conv of one axis": (conv_of_one_axis, "CONV_2D"),
    "prelu": (prelu, "PRELU"),
    "largest": (largest, "REDUCE_MAX"),
    "product with a turned one": (product_with_itself_turned, "BATCH_MATMUL"),
    "conv in groups": (conv_in_groups, "CONV_2D"),
    "depthwise": (depthwise, "DEPTHWISE_CONV_2D"),
    "gemm": (gemm, "FULLY_CONNECTED"),
    "matmul": (matmul, "FULLY_CONNECTED"),
    "matmul of two": (matmul_of_two, "BATCH_MATMUL"),
    "add": (two("Add"), "ADD"),
    "sub": (two("Sub"), "SUB"),
    "mul": (two("Mul"), "MUL"),
    "max": (two_alike("Max"), "MAXIMUM"),
    "min": (two_alike("Min"), "MINIMUM"),
    "add weight": (add_weight, "ADD"),
    "mul number": (mul_number, "MUL"),
    "relu": (one("Relu", 0.04, -100), "RELU"),
    "leaky relu": (one("LeakyRelu", 0.04, -60, alpha=0.2), "LEAKY_RELU"),
    "elu": (one("Elu", 0.04, -60), "ELU"),
    "hard swish": (one("HardSwish", 0.04, -60), "HARD_SWISH"),
    "gelu": (one("Gelu", 0.04, -60), "GELU"),
    "gelu tanh": (one("Gelu", 0.04, -60, approximate="tanh"), "GELU"),
    "sigmoid": (one("Sigmoid", 1 / 256, -128), "LOGISTIC"),
    "tanh": (one("Tanh", 1 / 128, 0), "TANH"),
    "softmax": (one("Softmax", 1 / 256, -128, axis=-1), "SOFTMAX"),
    "concat": (concat, "CONCATENATION"),
    "max pool": (max_pool, "MAX_POOL_2D"),
    "average pool": (average_pool, "AVERAGE_POOL_2D"),
    "global average pool": (global_average_pool, "MEAN"),
    "mean": (mean, "MEAN"),
    "nearest": (resize("nearest", "asymmetric"), "RESIZE_NEAREST_NEIGHBOR"),
    "bilinear": (resize("linear", "half_pixel"), "RESIZE_BILINEAR"),
    "bilinear asymmetric": (resize("linear", "asymmetric"), "RESIZE_BILINEAR"),
}


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("name", KERNELS)
def test_an_integer_kernel_is_within_one_step_of_the_operator_on_numbers(name: str, dtype: str) -> None:
    build, kernel = KERNELS[name]
    graph = Graph(dtype)
    build(graph)
    model = graph.model()
    content = hub.to_tflite(ir.from_proto(model))
    found = operators(content)
    assert kernel in found
    assert "DEQUANTIZE" not in found
    feeds = drawn(model)
    wanted = on_numbers(model, feeds)
    for resolver in (OpResolverType.AUTO, WITHOUT_XNNPACK):
        for one_wanted, one_found in zip(wanted, on_litert(content, feeds, resolver), strict=True):
            assert one_found.dtype == one_wanted.dtype
            steps = np.abs(one_found.astype(int) - one_wanted)
            assert steps.max() <= 1, (resolver, steps.max(), np.mean(steps > 0))
            assert np.mean(steps > 0) <= 0.2, (resolver, np.mean(steps > 0))


def softmax_of_another_scale(graph: Graph) -> None:
    graph.output(graph.add("Softmax", [graph.input("x", ["batch", 5])], axis=-1), 2, scale=0.003, zero=-128)


def conv_around_another_zero(graph: Graph) -> None:
    stored = graph.constant(weights(5, 6, 1, 1).astype(np.int8))
    parameters = graph.constant(np.float32(0.002)), graph.constant(np.int8(4))
    graph.output(graph.add("Conv", [images(graph), graph.add("DequantizeLinear", [stored, *parameters])]), 4)


def mean_of_a_finer_scale(graph: Graph) -> None:
    y = graph.add("AveragePool", [images(graph)], kernel_shape=[3, 3])
    graph.output(y, 4, scale=0.01, zero=0)


def activation_with_another_bound(graph: Graph) -> None:
    two = graph.constant(np.float32(0)), graph.constant(np.float32(2.5))
    y = graph.add("Add", [graph.input("x", ["batch", 5]), graph.input("z", ["batch", 5])])
    graph.output(graph.add("Clip", [y, *two]), 2, scale=0.05)


def conv_of_volumes(graph: Graph) -> None:
    volumes = graph.input("x", ["batch", 2, 5, 5, 5])
    graph.output(graph.add("Conv", [volumes, graph.weight(weights(4, 2, 3, 3, 3), 0.003)]), 5)


def function_without_kernel(graph: Graph) -> None:
    graph.output(graph.add("Softplus", [graph.input("x", ["batch", 5])]), 2, scale=0.05)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(
    "build",
    [
        activation_with_another_bound,
        conv_of_volumes,
        conv_around_another_zero,
        function_without_kernel,
        matmul_around_another_zero,
        mean_of_a_finer_scale,
        softmax_of_another_scale,
    ],
)
def test_what_no_kernel_computes_stays_an_operator_on_numbers(build: Callable[[Graph], None], dtype: str) -> None:
    graph = Graph(dtype)
    build(graph)
    model = graph.model()
    content = hub.to_tflite(ir.from_proto(model))
    feeds = drawn(model)
    for resolver in (OpResolverType.AUTO, WITHOUT_XNNPACK):
        [wanted], [found] = on_numbers(model, feeds), on_litert(content, feeds, resolver)
        steps = np.abs(found.astype(int) - wanted)
        assert steps.max() <= 1
        assert np.mean(steps > 0) <= 0.05


@pytest.mark.parametrize("factor", [1e-3, 1e3])
@pytest.mark.parametrize("name", ["add", "mul", "matmul of two", "conv of channels", "hard swish", "relu", "concat"])
def test_scales_that_overflow_or_blunt_a_kernel_leave_the_operator_to_numbers(
    name: str, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels shift sums of 32 bits: an output in far finer steps than its inputs comes out wrong, not saturated."""
    plain = Graph.input

    def coarser(graph: Graph, name: str, shape: Sequence[Any], scale: float = 0.05, zero: int = 3) -> str:
        return plain(graph, name, shape, scale * factor, zero)

    monkeypatch.setattr(Graph, "input", coarser)
    graph = Graph()
    KERNELS[name][0](graph)
    model = graph.model()
    content, feeds = hub.to_tflite(ir.from_proto(model)), drawn(model)
    for resolver in (OpResolverType.AUTO, WITHOUT_XNNPACK):
        [wanted], [found] = on_numbers(model, feeds), on_litert(content, feeds, resolver)
        steps = np.abs(found.astype(int) - wanted)
        assert steps.max() <= 1
        assert np.mean(steps > 0) <= 0.2
