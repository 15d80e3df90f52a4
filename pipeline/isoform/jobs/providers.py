"""Where ONNX Runtime can run here, and how it adds: asked of it in a child, as it has to be imported for that."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime

_PRODUCT = """
<ir_version: 9, opset_import: ["" : 17]>
product (uint8[1, 64] x, int8[64, 16] w) => (int32[1, 16] y) { y = MatMulInteger (x, w) }
"""


def listed(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the names of the execution providers, in the order in which ONNX Runtime prefers them, and whether the
    CPU cuts sums of integer products off (``is_cutting``).
    """
    return {"providers": onnxruntime.get_available_providers(), "is_cutting": _is_cutting()}


def _is_cutting() -> bool:
    """Return whether 64 products of 255 and 127 are not added in 32 bits: x86 without VNNI adds two in sixteen."""
    model = ir.from_onnx_text(_PRODUCT)
    weight = model.graph.inputs.pop()
    weight.const_value = ir.tensor(np.full((64, 16), 127, np.int8), name="w")
    model.graph.register_initializer(weight)
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString(), providers=["CPUExecutionProvider"])
    [found] = session.run(None, {"x": np.full((1, 64), 255, np.uint8)})
    return bool((found != 64 * 255 * 127).any())
