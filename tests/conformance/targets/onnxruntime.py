"""The yardstick: ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from conformance.forms import Run
from conformance.suite import is_plain
from conformance.verdicts import Refused

onnxruntime.set_default_logger_severity(4)
_SMALL = {TensorProto.INT4: TensorProto.INT8, TensorProto.INT2: TensorProto.INT8,
          TensorProto.UINT4: TensorProto.UINT8, TensorProto.UINT2: TensorProto.UINT8}  # fmt: skip
"""Integers that share a byte, and the type that they are cast from and to: the binding takes and gives whole bytes."""


def prepare(model: onnx.ModelProto, inputs: list[Any]) -> Run:
    """Return a session's run; floats that NumPy has not are fed by their bits, and come back as float32."""
    framed = _framed(model)
    try:
        session = onnxruntime.InferenceSession(framed.SerializeToString(), providers=["CPUExecutionProvider"])
    except errors.NotImplemented as error:
        raise Refused(str(error)) from error
    names = [value.name for value in session.get_inputs()]
    dtypes = [_dtype(output) for output in model.graph.output]

    def run(given: list[Any]) -> list[Any]:
        feeds = dict(zip(names, map(_fed, given), strict=False))  # inputs with initialisers may stay out
        if any(isinstance(value, onnxruntime.OrtValue) for value in feeds.values()):
            feeds = {name: _as_ort(value) for name, value in feeds.items()}
            asked = [value.name for value in session.get_outputs()]
            found = [value.numpy() for value in session.run_with_ort_values(asked, feeds)]
        else:
            found = session.run(None, feeds)
        return [array if is_plain(dtype) else array.astype(dtype) for array, dtype in zip(found, dtypes, strict=True)]

    return run


def _fed(value: Any) -> Any:
    """Return a test value as a session takes it."""
    if not isinstance(value, np.ndarray) or is_plain(value.dtype):
        return value
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    if kind in _SMALL:
        return value.astype(helper.tensor_dtype_to_np_dtype(_SMALL[kind]))
    bits = value.view(np.uint8 if value.dtype.itemsize == 1 else np.uint16)
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, kind)


def _as_ort(value: Any) -> onnxruntime.OrtValue:
    return value if isinstance(value, onnxruntime.OrtValue) else onnxruntime.OrtValue.ortvalue_from_numpy(value)


def _framed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with a Cast at each end whose type cannot pass through the binding."""
    framed = onnx.ModelProto()
    framed.CopyFrom(model)
    for index, value in enumerate(framed.graph.input):
        kind = value.type.tensor_type.elem_type
        if kind in _SMALL:
            framed.graph.node.insert(index, _cast(f"{value.name}/whole", value.name, kind))
            value.name, value.type.tensor_type.elem_type = f"{value.name}/whole", _SMALL[kind]
    for value in framed.graph.output:
        if not is_plain(_dtype(value)):
            kind = _SMALL.get(value.type.tensor_type.elem_type, TensorProto.FLOAT)
            framed.graph.node.append(_cast(value.name, f"{value.name}/whole", kind))
            value.name, value.type.tensor_type.elem_type = f"{value.name}/whole", kind
    return framed


def _cast(source: str, result: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [result], to=kind)


def _dtype(value: onnx.ValueInfoProto) -> np.dtype[Any]:
    is_tensor = value.type.HasField("tensor_type")
    return np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type) if is_tensor else object)
