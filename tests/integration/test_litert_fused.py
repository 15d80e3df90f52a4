"""What one LiteRT operator stands for: the fewest that say the same, all in forms that XNNPACK runs."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from onnx import parser

from isoform import hub

NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
SQUARE = "float[4,4,1,1] square = {1.0, 0.5, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0.25, 0, -1, 0, 1}"
CONV = "float[4,3,1,1] k = {0.1, -0.2, 0.3, 0.4, 0.5, -0.6, 0.7, -0.8, 0.9, 1.0, -1.1, 1.2}"


def read(body: str, sides: str, constants: str = "", opset: int = 18) -> onnx.ModelProto:
    return parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> g {sides} <{constants}> {{ {body} }}')


def written(model: onnx.ModelProto) -> tuple[list[str], bytes]:
    """Return the operators of the file and the file."""
    data = hub.to_tflite(model)
    file = schema.ModelT.InitFromPackedBuf(data, 0)
    codes = [NAMES[code.builtinCode] for code in file.operatorCodes]
    return [codes[operator.opcodeIndex] for operator in file.subgraphs[0].operators], data


def agree(model: onnx.ModelProto, data: bytes, *batches: int) -> None:
    """Assert that the file answers as ONNX Runtime does, at every size of the first axis."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    interpreter = Interpreter(model_content=data, num_threads=1)
    runner = interpreter.get_signature_runner()
    for batch in batches or (1, 3):
        feed = {each.name: _drawn(each, batch) for each in session.get_inputs()}
        wanted = session.run(None, feed)
        found = runner(**feed)
        for value, array in zip(session.get_outputs(), wanted, strict=True):
            np.testing.assert_allclose(found[value.name], array, rtol=2e-5, atol=2e-6)


def _drawn(value: Any, batch: int) -> np.ndarray:
    shape = [size if isinstance(size, int) else batch for size in value.shape]
    return np.random.default_rng(batch).uniform(-8, 8, shape).astype(np.float32)


def is_delegated(data: bytes) -> bool:
    """Return whether XNNPACK runs the whole file as one."""
    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    operators = interpreter._get_ops_details()
    delegates = [each for each in operators if each["op_name"] == "DELEGATE"]
    produced = {int(place) for each in operators if each not in delegates for place in each["outputs"]}
    outputs = {each["index"] for each in interpreter.get_output_details()}
    if len(delegates) != 1:
        return False
    reads, gives = (set(map(int, delegates[0][side])) for side in ("inputs", "outputs"))
    return not reads & produced and outputs <= gives


@pytest.mark.parametrize(
    ("body", "operators"),
    [
        ("t = Clip(c, zero, six)  y = Conv(t, square)", ["CONV_2D", "CONV_2D"]),
        ("t = Clip(c, minus, one)  y = Conv(t, square)", ["CONV_2D", "CONV_2D"]),
        ("y = Clip(c, zero, one)", ["CONV_2D", "MAXIMUM", "MINIMUM"]),
        ("y = HardSigmoid <alpha = 0.16666667163372040> (c)", ["CONV_2D", "ADD", "MUL"]),
        ("y = HardSigmoid <alpha = 0.3, beta = 0.4> (c)", ["CONV_2D", "MUL", "ADD", "MAXIMUM", "MINIMUM"]),
        ("r = Relu(c)  y = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]> (r)",
         ["CONV_2D", "PAD", "MAX_POOL_2D"]),
    ],
)  # fmt: skip
def test_an_activation_is_part_of_the_layer_or_of_a_sum(body: str, operators: list[str]) -> None:
    numbers = "float zero = {0.0}, float six = {6.0}, float one = {1.0}, float minus = {-1.0}"
    size = "3,3" if "MaxPool" in body else "6,6"
    sides = f"(float[b,3,6,6] x) => (float[b,4,{size}] y)"
    model = read(f"c = Conv(x, k)  {body}", sides, f"{CONV}, {SQUARE}, {numbers}")
    found, data = written(model)
    assert [name for name in found if name != "TRANSPOSE"] == operators
    assert is_delegated(data)
    agree(model, data)


@pytest.mark.parametrize("values", ["x", "n"])
def test_borders_of_a_maximum_count_for_nothing_whether_numbers_are_negative_or_not(values: str) -> None:
    pool = "MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]>"
    model = read(f"n = Neg(x)  y = {pool}({values})", "(float[b,3,6,6] x) => (float[b,3,3,3] y)")
    agree(model, written(model)[1])


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ("m = GlobalAveragePool(x)  y = Flatten(m)", "b,3"),
        ("m = ReduceMean(x, axes)  y = Reshape(m, target)", "b,3"),
        ("m = ReduceMax(x, axes)  y = Squeeze(m, axes)", "b,3"),
    ],
)
def test_a_reduction_drops_the_axes_that_are_dropped_after_it(body: str, shape: str) -> None:
    constants = "int64[2] axes = {2, 3}, int64[2] target = {-1, 3}"
    model = read(body, f"(float[b,3,6,6] x) => (float[{shape}] y)", constants)
    found, data = written(model)
    assert "RESHAPE" not in found
    assert "SQUEEZE" not in found
    agree(model, data)


def test_a_reduction_keeps_its_axes_where_somebody_else_reads_it() -> None:
    sides = "(float[b,3,6,6] x) => (float[b,3] y, float[b,3,1,1] m)"
    model = read("m = GlobalAveragePool(x)  y = Flatten(m)", sides)
    agree(model, written(model)[1])


@pytest.mark.parametrize(
    ("body", "operators"),
    [
        ("r = Abs(x)  s = Sqrt(r)  y = Reciprocal(s)", ["ABS", "RSQRT"]),
        ("r = Abs(x)  y = Pow(r, number)", ["ABS", "SQUARE", "MUL"]),
        ("u = Unsqueeze(x, axes)  n = Neg(u)  y = Squeeze(n, axes)", ["RESHAPE", "NEG", "RESHAPE"]),
    ],
)
def test_forms_that_xnnpack_lacks_are_written_as_those_it_has(body: str, operators: list[str]) -> None:
    constants = "float number = {3.0}, int64[1] axes = {1}"
    model = read(body, "(float[b,5] x) => (float[b,5] y)", constants)
    found, data = written(model)
    assert found == operators
    assert is_delegated(data)
    agree(model, data)


@pytest.mark.parametrize("operator", ["GroupNormalization <num_groups = 4>", "InstanceNormalization"])
def test_a_constant_image_is_normalised_as_exactly_as_any_other(operator: str) -> None:
    """Kernels sum one by one in float32, and the mean's error is divided by the root of epsilon."""
    model = read(f"y = {operator}(x, s, s)", "(float[b,8,32,32] x) => (float[b,8,32,32] y)", opset=21)
    scale = np.linspace(0.5, 2, 8).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(scale, "s"))
    levels = np.random.default_rng(0).random((2, 8, 1, 1))
    x = np.broadcast_to(levels, (2, 8, 32, 32)).astype(np.float32)
    groups = x.astype(np.float64).reshape(2, 4 if "Group" in operator else 8, -1)
    variance = groups.var(-1, keepdims=True)
    normal = ((groups - groups.mean(-1, keepdims=True)) / np.sqrt(variance + 1e-5)).reshape(x.shape)
    wanted = normal * scale.reshape(-1, 1, 1) + scale.reshape(-1, 1, 1)
    found = Interpreter(model_content=written(model)[1]).get_signature_runner()(x=x)["y"]
    np.testing.assert_allclose(found, wanted, atol=2e-6)
