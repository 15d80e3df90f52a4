"""Operators that broadcast in TFLite, over up to seven axes whose sizes are known or not, against ONNX Runtime."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from integration.litert_runner import assert_same
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
        assert_same(proto, arrays)


@pytest.mark.parametrize("name", ["Softmax", "LpNormalization"])
def test_reductions_over_more_axes_than_xnnpack_takes_are_refused(name: str) -> None:
    arrays = [np.ones((1, 2, 1, 1, 1, 1, 2), np.float32)]
    with pytest.raises(IsoformError, match=rf"'{name}' .*: more than 6 axes, which has no TFLite form here\."):
        tflite.emit(graph.load(model(name, arrays, is_dynamic=False)))
