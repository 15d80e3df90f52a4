"""Graphs of quantised operators, written node by node, and their answers in ONNX Runtime and LiteRT."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import TensorProto, helper, numpy_helper

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
