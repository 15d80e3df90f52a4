"""Scales that miss the sizes they are made of become sizes; all others stay."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from isoform.hub import graph
from isoform.hub.passes.exact_sizes import exact_sizes


def resized(scales: list[float], height: int | str = 24) -> ir.Model:
    proto = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : 18]> g (float[n,3,{height},24] x, float[0] roi) => (float[n,3,h,w] y)'
        ' { y = Resize<mode: string = "linear">(x, roi, scales) }'
    )
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(scales, np.float32), "scales"))
    model = graph.load(proto)
    graph.infer_shapes(model)
    exact_sizes(model)
    return model


def test_a_quotient_that_float32_misses_becomes_the_size() -> None:
    model = resized([1, 1, 20 / 24, 7 / 24])
    [node] = model.graph
    assert list(node.attributes["axes"].as_ints()) == [2, 3]
    assert node.inputs[2] is None
    assert list(node.inputs[3].const_value.numpy()) == [20, 7]


@pytest.mark.parametrize(
    ("scales", "height"), [([1, 1, 2, 0.5], 24), ([1, 1, 1.3, 1], 24), ([1, 1, 20 / 24, 1], "height")]
)
def test_scales_that_are_right_mean_no_whole_size_or_work_on_any_stay(scales: list[float], height: int | str) -> None:
    [node] = resized(scales, height).graph
    assert node.inputs[2] is not None
    assert len(node.inputs) == 3
