"""The yardstick: ONNX Runtime on the CPU."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper

onnxruntime.set_default_logger_severity(4)


def prepare(model: onnx.ModelProto, inputs: list[Any]) -> Callable[[list[Any]], list[Any]]:
    """Return a session's run; types that NumPy has not are fed by their bits."""
    wide = _with_plain_outputs(model)
    session = onnxruntime.InferenceSession(wide.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(given: list[Any]) -> list[Any]:
        feeds = dict(zip(names, map(_plain, given), strict=False))
        if all(map(_is_plain, given)):
            return list(session.run(None, feeds))
        values = {name: _ort_value(array) for name, array in feeds.items()}
        outputs = session.run_with_ort_values([value.name for value in session.get_outputs()], values)
        return [value.numpy() for value in outputs]

    def answer(given: list[Any]) -> list[Any]:
        return [_as_declared(value, output) for value, output in zip(run(given), model.graph.output, strict=True)]

    return answer


def _plain(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, np.generic) else value


def _is_plain(value: Any) -> bool:
    return not isinstance(value, np.ndarray) or value.dtype.isbuiltin == 1 or value.dtype.kind in "OU"


def _ort_value(array: Any) -> onnxruntime.OrtValue:
    if _is_plain(array):
        return onnxruntime.OrtValue.ortvalue_from_numpy(array)
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    bits = array.view(np.uint8 if array.dtype.itemsize == 1 else np.uint16)
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, kind)


def _with_plain_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with a Cast behind each output that NumPy has no type for: the binding cannot give it out."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for output in copy.graph.output:
        if _is_wide(output):
            kind = onnx.TensorProto.INT8 if "int" in _dtype(output).name else onnx.TensorProto.FLOAT
            copy.graph.node.append(helper.make_node("Cast", [output.name], [f"{output.name}/wide"], to=kind))
            output.name, output.type.tensor_type.elem_type = f"{output.name}/wide", kind
    return copy


def _as_declared(value: Any, output: onnx.ValueInfoProto) -> Any:
    return np.asarray(value).astype(_dtype(output)) if _is_wide(output) else value


def _is_wide(output: onnx.ValueInfoProto) -> bool:
    return output.type.HasField("tensor_type") and _dtype(output).isbuiltin != 1 and _dtype(output).kind not in "OU"


def _dtype(output: onnx.ValueInfoProto) -> np.dtype[Any]:
    return np.dtype(helper.tensor_dtype_to_np_dtype(output.type.tensor_type.elem_type))
