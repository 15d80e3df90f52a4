"""Every operator that the TFLite emitter carries, on ONNX' own backend tests: right, or refused, never wrong.

Each case is taken three times: as it is, with all inputs but the first made constants (as weights, axes and sizes are
in real graphs), and the same with every size of the first input dynamic. What runs has to agree, with XNNPACK and
without. All cases: ``make conformance TARGETS="tflite tflite_weights tflite_dynamic"``.
"""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from conformance import sample
from conformance.targets import tflite

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")


@pytest.mark.parametrize("target", ["tflite", "tflite_weights", "tflite_dynamic"])
def test_no_case_is_wrong_and_none_is_worse_than_recorded(target: str) -> None:
    worse = sample.worse(target)
    assert not worse, worse


@pytest.mark.parametrize("keepdims", [0, 1])
def test_a_logarithm_of_summed_exponentials_does_not_overflow(keepdims: int) -> None:
    """ONNX' own cases of this operator are float64 alone."""
    node = onnx.helper.make_node("ReduceLogSumExp", ["x", "axes"], ["y"], keepdims=keepdims)
    sides = [[onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)] for name in ("x", "y")]
    sides[0][0].CopyFrom(onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, 4]))
    axes = numpy_helper.from_array(np.array([1]), "axes")
    proto = onnx.helper.make_graph([node], "sums", *sides, [axes])
    model = onnx.helper.make_model(proto, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    x = np.random.default_rng(2).uniform(-200, 200, (2, 3, 4)).astype(np.float32)
    wanted = np.logaddexp.reduce(x.astype(np.float64), axis=1, keepdims=bool(keepdims))
    [found] = tflite.prepare(model, [x])([x])
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.int32, np.int8, np.uint8])
@pytest.mark.parametrize("operator", ["ArgMax", "ArgMin"])
def test_the_place_of_an_extreme_integer_is_that_of_the_first(operator: str, dtype: type) -> None:
    """A text encoder looks for its last token so; ONNX' own cases are float32 alone."""
    x = np.array([[3, 100, 7, 100], [9, 1, 1, 2]], dtype)
    node = onnx.helper.make_node(operator, ["x"], ["y"], axis=1, keepdims=0)
    kinds = [onnx.helper.np_dtype_to_tensor_dtype(np.dtype(each)) for each in (dtype, np.int64)]
    sides = [
        [onnx.helper.make_tensor_value_info(name, kind, shape)]
        for name, kind, shape in (("x", kinds[0], ["n", 4]), ("y", kinds[1], ["n"]))
    ]
    graph = onnx.helper.make_graph([node], "places", *sides)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    [found] = tflite.prepare(model, [x])([x])
    np.testing.assert_array_equal(found, getattr(np, operator.lower())(x, axis=1))
