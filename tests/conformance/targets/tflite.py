"""The bytes that hub.to_tflite gives, in LiteRT's interpreter, with XNNPACK and without: both have to be right."""

from typing import Any

import numpy as np
import onnx
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from conformance.forms import Run
from conformance.verdicts import CannotFeed, Differs
from isoform import hub

_RESOLVERS = (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)


def prepare(model: onnx.ModelProto, inputs: list[Any]) -> Run:
    """Return the interpreter as a function of arrays; it answers with what both resolvers agree on."""
    content = hub.to_tflite(model)

    def run(given: list[Any]) -> list[Any]:
        with_delegate, plain = (_answer(content, given, resolver) for resolver in _RESOLVERS)
        for position, (one, other) in enumerate(zip(with_delegate, plain, strict=True)):
            if one.shape != other.shape or not np.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True):
                raise Differs(f"output {position}: XNNPACK and the interpreter's own kernels disagree")
        return with_delegate

    return run


def _answer(content: bytes, given: list[Any], resolver: OpResolverType) -> list[Any]:
    interpreter = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=resolver)
    places = [details["index"] for details in interpreter.get_input_details()]
    for place, array in zip(places, given, strict=True):
        interpreter.resize_tensor_input(place, _checked(array).shape, strict=True)
    interpreter.allocate_tensors()
    for place, array in zip(places, given, strict=True):
        interpreter.set_tensor(place, np.ascontiguousarray(array).reshape(array.shape))
    interpreter.invoke()
    return [_read(interpreter, details) for details in interpreter.get_output_details()]


def _checked(value: Any) -> Any:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
        raise CannotFeed(
            f"LiteRT's interpreter takes no {value.dtype if isinstance(value, np.ndarray) else 'sequence'}"
        )
    if not value.size:
        raise CannotFeed("LiteRT's interpreter takes no input without elements")
    return value


def _read(interpreter: Any, details: dict[str, Any]) -> Any:
    if 0 in details["shape"]:  # the interpreter has no way to give out nothing
        return np.empty(details["shape"], details["dtype"])
    return interpreter.get_tensor(details["index"])
