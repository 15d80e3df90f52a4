"""The bytes that hub.to_tflite gives, in LiteRT's interpreter, with XNNPACK and without: both have to be right."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from conformance.verdicts import CannotFeed
from isoform import hub

_RESOLVERS = (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)


def prepare(model: onnx.ModelProto, inputs: list[Any]) -> Callable[[list[Any]], list[Any]]:
    """Return the interpreter as a function of arrays; it answers with what both resolvers agree on."""
    if not all(isinstance(value, np.ndarray) and value.dtype.kind in "fiub" for value in inputs):
        raise CannotFeed("LiteRT's interpreter takes arrays of numbers and booleans here")
    content = hub.to_tflite(model)

    def run(given: list[Any]) -> list[Any]:
        with_delegate, plain = (_answer(content, given, resolver) for resolver in _RESOLVERS)
        for one, other in zip(with_delegate, plain, strict=True):
            if one.shape != other.shape or not np.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True):
                raise AssertionError("XNNPACK and the interpreter's own kernels disagree")
        return with_delegate

    return run


def _answer(content: bytes, given: list[Any], resolver: OpResolverType) -> list[Any]:
    interpreter = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=resolver)
    places = [details["index"] for details in interpreter.get_input_details()]
    for place, array in zip(places, given, strict=True):
        interpreter.resize_tensor_input(place, array.shape, strict=True)
    interpreter.allocate_tensors()
    for place, array in zip(places, given, strict=True):
        interpreter.set_tensor(place, np.ascontiguousarray(array).reshape(array.shape))
    interpreter.invoke()
    return [interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()]
