"""Quantised graphs on LiteRT's integer kernels, beside ONNX Runtime computing each operator on numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import TensorProto, helper, numpy_helper

from isoform import hub

NAMES = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}
WITHOUT_XNNPACK = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
DTYPES = {"int8": (TensorProto.INT8, np.int8), "uint8": (TensorProto.UINT8, np.uint8)}


@dataclass
class Graph:
    """A graph of operators between DequantizeLinear and QuantizeLinear; inputs and outputs are the integers.

    Zero points are given as of int8; for uint8 each is 128 more.
    """

    dtype: str = "int8"
    opset: int = 20
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)

    def constant(self, array: Any, name: str = "") -> str:
        name = name or f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def scale(self, scale: float, zero: int) -> tuple[str, str]:
        integer = DTYPES[self.dtype][1]
        shifted = zero + (128 if self.dtype == "uint8" else 0)
        return self.constant(np.float32(scale)), self.constant(np.array(shifted, integer))

    def input(self, name: str, shape: Sequence[Any], scale: float = 0.05, zero: int = 3) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, DTYPES[self.dtype][0], shape))
        self.nodes.append(helper.make_node("DequantizeLinear", [name, *self.scale(scale, zero)], [f"{name}_real"]))
        return f"{name}_real"

    def weight(self, array: np.ndarray, scale: Any, axis: int = 0) -> str:
        """Return int8 weights around 0."""
        stored = self.constant(array.astype(np.int8))
        scales = self.constant(np.asarray(scale, np.float32))
        zeros = self.constant(np.zeros(np.shape(scale), np.int8))
        name = f"{stored}_real"
        self.nodes.append(helper.make_node("DequantizeLinear", [stored, scales, zeros], [name], axis=axis))
        return name

    def add(self, op_type: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=f"n{len(self.nodes)}", **attributes))
        return name

    def output(self, value: str, rank: int, scale: float = 0.1, zero: int = -5) -> None:
        name = f"y{len(self.outputs)}"
        self.nodes.append(helper.make_node("QuantizeLinear", [value, *self.scale(scale, zero)], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, DTYPES[self.dtype][0], [None] * rank))

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "g", self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)
        onnx.checker.check_model(model)
        return model


def drawn(model: onnx.ModelProto, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    feeds = {}
    for value in model.graph.input:
        dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        shape = [dim.dim_value or 2 for dim in value.type.tensor_type.shape.dim]
        limits = np.iinfo(dtype)
        feeds[value.name] = rng.integers(limits.min, limits.max + 1, shape).astype(dtype)
    return feeds


def on_numbers(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, feeds)


def on_litert(content: bytes, feeds: dict[str, np.ndarray], resolver: OpResolverType) -> list[np.ndarray]:
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=resolver)
    for details in interpreter.get_input_details():
        interpreter.resize_tensor_input(details["index"], feeds[details["name"]].shape)
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], feeds[details["name"]])
    interpreter.invoke()
    return [interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()]


def operators(content: bytes) -> list[str]:
    model = schema.Model.GetRootAsModel(content, 0)
    graph = model.Subgraphs(0)
    codes = [graph.Operators(index).OpcodeIndex() for index in range(graph.OperatorsLength())]
    return [NAMES[model.OperatorCodes(code).BuiltinCode()] for code in codes]


def images(graph: Graph, channels: int = 6, **scale: Any) -> str:
    return graph.input("x", ["batch", channels, 9, 9], **scale)


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(-127, 128, shape)


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
    assert set(operators(content)) == {"SPLIT_V", "CONCATENATION"}


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
