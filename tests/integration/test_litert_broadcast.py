"""Operators that broadcast in TFLite, over up to seven axes whose sizes are known or not, against ONNX Runtime."""

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import TensorProto, helper

from isoform.errors import IsoformError
from isoform.hub import graph
from isoform.hub.emitters import tflite

ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Mod")
COMPARING = ("Equal", "Greater", "LessOrEqual")
PAIRS = (
    ((2, 1, 3, 1, 4), (2, 3, 1, 2, 4)),
    ((2, 1, 3, 1, 4, 2), (2, 3, 1, 2, 4, 1)),
    ((2, 3, 4, 2, 3, 2), (2,)),
    ((4,), (2, 3, 2, 2, 4)),
    ((3, 1), (1, 5)),
    ((1, 2, 3, 1, 4, 2, 2), (1, 2, 1, 2, 4, 2, 1)),
)
RESOLVERS = (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)


def model(name: str, arrays: list[np.ndarray], *, is_dynamic: bool) -> onnx.ModelProto:
    kinds = {"float32": TensorProto.FLOAT, "bool": TensorProto.BOOL}
    inputs = [
        helper.make_tensor_value_info(
            f"x{place}",
            kinds[str(array.dtype)],
            [f"d{place}_{axis}" for axis in range(array.ndim)] if is_dynamic else array.shape,
        )
        for place, array in enumerate(arrays)
    ]
    kind = TensorProto.BOOL if name in (*COMPARING, "And") else TensorProto.FLOAT
    attributes = {"fmod": 1} if name == "Mod" else {}
    node = helper.make_node(name, [value.name for value in inputs], ["y"], **attributes)
    built = helper.make_graph([node], "broadcast", inputs, [helper.make_tensor_value_info("y", kind, None)])
    return helper.make_model(built, opset_imports=[helper.make_opsetid("", 16)], ir_version=10)


def answer(content: bytes, arrays: list[np.ndarray], resolver: OpResolverType) -> np.ndarray:
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=resolver)
    places = [details["index"] for details in interpreter.get_input_details()]
    for place, array in zip(places, arrays, strict=True):
        interpreter.resize_tensor_input(place, array.shape)
    interpreter.allocate_tensors()
    for place, array in zip(places, arrays, strict=True):
        interpreter.set_tensor(place, array)
    interpreter.invoke()
    return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


@pytest.mark.parametrize("is_dynamic", [False, True])
@pytest.mark.parametrize("name", [*ARITHMETIC, *COMPARING, "And", "Where"])
def test_shapes_that_differ_broadcast_as_in_onnx_runtime(name: str, is_dynamic: bool) -> None:
    rng = np.random.default_rng(5)
    for first, second in PAIRS:
        arrays = [rng.uniform(0.5, 2, shape).astype(np.float32) for shape in (first, second)]
        if name == "And":
            arrays = [array > 1 for array in arrays]
        if name == "Where":
            arrays = [arrays[0] > 1, arrays[1], arrays[0]]
        proto = model(name, arrays, is_dynamic=is_dynamic)
        feeds = {f"x{place}": array for place, array in enumerate(arrays)}
        [wanted] = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, feeds)
        content = tflite.emit(graph.load(proto))
        for resolver in RESOLVERS:
            np.testing.assert_allclose(answer(content, arrays, resolver), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["Softmax", "LpNormalization"])
def test_reductions_over_more_axes_than_xnnpack_takes_are_refused(name: str) -> None:
    arrays = [np.ones((1, 2, 1, 1, 1, 1, 2), np.float32)]
    with pytest.raises(IsoformError, match=rf"'{name}' .*: more than 6 axes, which has no TFLite form here\."):
        tflite.emit(graph.load(model(name, arrays, is_dynamic=False)))
