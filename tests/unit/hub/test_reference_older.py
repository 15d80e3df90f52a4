"""Operators of older opsets give in the reference evaluator what ONNX Runtime computes for files of that opset."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from isoform.hub.reference_evaluator import evaluator

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


SCALES = np.array([1, 1, 2, 2], np.float32)
ROWS: list[tuple[str, tuple[int, ...], list[np.ndarray], dict[str, Any]]] = [
    ("BatchNormalization", (7, 9, 11, 13, 14, 15), [floats(2, 3, 4, 4), *np.abs(floats(4, 3))], {}),
    *((name, (7, 11, 12, 13), [floats(2, 3, 4)], {"axis": axis})
      for name in ("Softmax", "LogSoftmax", "Hardmax") for axis in (0, 1, 2, -1)),
    *((name, (7, 11, 12, 13), [floats(2, 3, 4)], {}) for name in ("Softmax", "LogSoftmax", "Hardmax")),
    ("Upsample", (7, 8), [floats(1, 2, 3, 3)], {"mode": "nearest", "scales": [1.0, 1.0, 2.0, 3.0]}),
    ("Upsample", (9,), [floats(1, 2, 3, 3), SCALES], {"mode": "nearest"}),
    ("Upsample", (9,), [floats(1, 2, 3, 3), SCALES], {"mode": "linear"}),
    ("Resize", (10,), [floats(1, 2, 3, 3), SCALES], {"mode": "nearest"}),
    ("Resize", (10,), [floats(1, 2, 3, 3), SCALES], {"mode": "linear"}),
    ("Resize", (10,), [floats(1, 2, 6, 6), np.array([1, 1, 0.5, 0.5], np.float32)], {"mode": "nearest"}),
    ("Clip", (7, 9), [floats(2, 3)], {"min": -0.5, "max": 0.5}),
    ("Slice", (7, 9), [floats(4, 5)], {"starts": [1], "ends": [3], "axes": [1]}),
    ("Pad", (7, 10), [floats(2, 3)], {"pads": [0, 1, 0, 1], "value": 2.0}),
    ("Squeeze", (7, 11), [floats(1, 3, 1)], {"axes": [0]}),
    ("Unsqueeze", (7, 11), [floats(3)], {"axes": [0, 2]}),
    ("Dropout", (7, 10, 12), [floats(3, 4)], {}),
    ("ReduceSum", (7, 11), [floats(3, 4)], {"axes": [1], "keepdims": 0}),
    ("MaxPool", (7, 8, 10, 12), [floats(1, 2, 5, 5)], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("AveragePool", (7, 10, 11), [floats(1, 2, 5, 5)], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "opset", "inputs", "attributes"),
    [pytest.param(name, opset, inputs, more, id=f"{name}-{opset}-{place}")
     for place, (name, opsets, inputs, more) in enumerate(ROWS) for opset in opsets],
)  # fmt: skip
def test_an_operator_means_what_its_opset_says(
    name: str, opset: int, inputs: list[np.ndarray], attributes: dict[str, Any]
) -> None:
    feeds = {f"x{place}": array for place, array in enumerate(inputs)}
    values = [
        helper.make_tensor_value_info(each, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for each, array in feeds.items()
    ]
    node = helper.make_node(name, list(feeds), ["y"], **attributes)
    graph = helper.make_graph([node], "older", values, [helper.make_empty_tensor_value_info("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    [wanted] = session.run(None, feeds)
    [found] = evaluator(model).run(None, feeds)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
