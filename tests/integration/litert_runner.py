"""TFLite files on the interpreter, as tests of LiteRT need them: at whatever shapes are given, on either kernels."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnx.parser
import onnxruntime
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from isoform.hub import graph
from isoform.hub.emitters import tflite

Arrays = list[np.ndarray]
XNNPACK, PLAIN = OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def parsed(text: str) -> onnx.ModelProto:
    """Return a graph from ONNX' text form."""
    return onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 19]> main {text}')


def answers(content: bytes, arrays: Sequence[np.ndarray], resolver: OpResolverType = PLAIN) -> Arrays:
    """Return the outputs in the order of the file for inputs in its order."""
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=resolver)
    places = [details["index"] for details in interpreter.get_input_details()]
    for place, array in zip(places, arrays, strict=True):
        interpreter.resize_tensor_input(place, array.shape)
    interpreter.allocate_tensors()
    for place, array in zip(places, arrays, strict=True):
        interpreter.set_tensor(place, array)
    interpreter.invoke()
    return [np.array(interpreter.get_tensor(details["index"])) for details in interpreter.get_output_details()]


def assert_same(proto: onnx.ModelProto, arrays: Arrays, tolerance: float = 1e-5) -> None:
    """Fail unless the emitted file gives what ONNX Runtime gives, with XNNPACK and without; integers exactly."""
    names = [value.name for value in proto.graph.input]
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    wanted = session.run(None, dict(zip(names, arrays, strict=True)))
    content = tflite.emit(graph.load(proto))
    for resolver in (XNNPACK, PLAIN):
        for one, other in zip(answers(content, arrays, resolver), wanted, strict=True):
            assert one.dtype == other.dtype
            exact = other.dtype.kind == "i"
            np.testing.assert_allclose(one, other, rtol=0 if exact else tolerance, atol=0 if exact else tolerance)
