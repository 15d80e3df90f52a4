"""Resize in TensorFlow against ONNX Runtime: by kernel or axis by axis, with sizes known and free."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from isoform import hub

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]
X = np.random.default_rng(0).standard_normal((2, 3, 6, 7)).astype(np.float32)
LINEAR = [f'mode = "linear", coordinate_transformation_mode = "{name}"'
          for name in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")]  # fmt: skip
NEAREST = [
    'mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"',
    'mode = "nearest", coordinate_transformation_mode = "half_pixel"',
    'mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "ceil"',
]
CUBIC = ['mode = "cubic", coordinate_transformation_mode = "half_pixel", cubic_coeff_a = -0.75']


def model(attributes: str, dims: str, inputs: str, constants: str = "") -> onnx.ModelProto:
    return onnx.parser.parse_model(f"""<ir_version: 9, opset_import: ["" : 18]>
        m (float[{dims}] x) => (float[a, b, c, d] y) {{ {constants}
        z = Relu(x)
        y = Resize<{attributes}>(z, {inputs}) }}""")


def results(proto: onnx.ModelProto) -> tuple[Any, Any]:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": X})[0], hub.to_tensorflow(proto).serve(tf.constant(X))[0]


@pytest.mark.parametrize("dims", ["2, 3, 6, 7", "n, 3, h, w"], ids=["known", "free"])
@pytest.mark.parametrize("scale", ["2.0", "1.7", "0.6"])
@pytest.mark.parametrize("attributes", [*LINEAR, *NEAREST, *CUBIC])
def test_scales_resize_as_in_onnx_runtime(attributes: str, scale: str, dims: str) -> None:
    constants = f"s = Constant<value = float[4] {{1.0, 1.0, {scale}, {scale}}}>()"
    wanted, found = results(model(attributes, dims, '"", s', constants))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attributes", [*LINEAR, *NEAREST])
def test_sizes_joined_to_those_of_the_batch_resize_as_in_onnx_runtime(attributes: str) -> None:
    constants = """image = Constant<value = int64[2] {11, 9}>()
        leading = Shape<start = 0, end = 2>(x)
        s = Concat<axis = 0>(leading, image)"""
    wanted, found = results(model(attributes, "n, 3, h, w", '"", "", s', constants))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_plain_resize_is_one_kernel() -> None:
    constants = "s = Constant<value = float[4] {1.0, 1.0, 2.0, 2.0}>()"
    module = hub.to_tensorflow(model(LINEAR[0], "n, 3, h, w", '"", s', constants))
    kinds = [operation.type for operation in module.serve.get_concrete_function().graph.get_operations()]
    assert "ResizeBilinear" in kinds
    assert "GatherV2" not in kinds
