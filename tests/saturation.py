"""Does ONNX Runtime cut sums of products off on this processor? Then what it computes in integers is no oracle."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper


def is_cutting() -> bool:
    """Return whether sums of 255 x 127 are not what they should be: x86 without VNNI adds two in sixteen bits."""
    product = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
    x = helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, [1, 64])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.INT32, [1, 16])
    weight = numpy_helper.from_array(np.full((64, 16), 127, np.int8), "w")
    graph = helper.make_graph([product], "net", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.full((1, 64), 255, np.uint8)})
    return bool((found != 64 * 255 * 127).any())


exact_sums = pytest.mark.skipif(
    is_cutting(), reason="ONNX Runtime cuts sums of integer products off on this processor: it has no VNNI"
)
