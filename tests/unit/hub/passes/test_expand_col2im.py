"""Col2Im as a transposed convolution: the image that a loop over the windows adds up, and nothing else touched."""

import itertools

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.expand_col2im import expand_col2im


def put_back(
    columns: np.ndarray, image: list[int], block: list[int], strides: list[int], dilations: list[int], pads: list[int]
) -> np.ndarray:
    """Return what one loop over places in the window and another over windows adds up."""
    rank, channels = len(image), columns.shape[1] // int(np.prod(block))
    room = [size + pads[axis] + pads[axis + rank] for axis, size in enumerate(image)]
    counts = [(room[axis] - dilations[axis] * (block[axis] - 1) - 1) // strides[axis] + 1 for axis in range(rank)]
    values = columns.reshape(len(columns), channels, *block, *counts)
    whole = np.zeros((len(columns), channels, *room), columns.dtype)
    for tap in itertools.product(*map(range, block)):
        for window in itertools.product(*map(range, counts)):
            place = tuple(t * d + w * s for t, d, w, s in zip(tap, dilations, window, strides, strict=True))
            whole[(slice(None), slice(None), *place)] += values[(slice(None), slice(None), *tap, *window)]
    inner = [slice(pads[axis], pads[axis] + size) for axis, size in enumerate(image)]
    return whole[(slice(None), slice(None), *inner)]


@pytest.mark.parametrize(
    ("image", "block", "strides", "dilations", "pads", "windows"),
    [
        ([6, 4], [2, 2], [2, 2], [1, 1], [0, 0, 0, 0], 6),
        ([5, 7], [3, 3], [2, 2], [1, 1], [1, 1, 1, 1], 12),
        ([6, 8], [3, 2], [2, 3], [1, 2], [1, 0, 2, 1], 12),
        ([9], [4], [2], [1], [1, 0], 4),
    ],
)
def test_overlapping_windows_are_added_up(
    image: list[int], block: list[int], strides: list[int], dilations: list[int], pads: list[int], windows: int
) -> None:
    rows = 3 * int(np.prod(block))
    table = f"int64[{len(image)}] image = {{{str(image)[1:-1]}}}, int64[{len(block)}] block = {{{str(block)[1:-1]}}}"
    proto = parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 18]> g (float[n,{rows},{windows}] x) => (float[n,3,...] y) <{table}> '
        f"{{ y = Col2Im<strides = {strides}, dilations = {dilations}, pads = {pads}>(x, image, block) }}".replace(
            ",...", ",h" * len(image)
        )
    )
    model = graph.load(proto)
    assert expand_col2im(model)
    assert [node.op_type for node in model.graph] == ["Reshape", "ConvTranspose", "Reshape"]
    after = ir.to_proto(model)
    onnx.checker.check_model(after)
    x = np.random.default_rng(0).normal(size=(2, rows, windows)).astype(np.float32)
    [found] = ReferenceEvaluator(after).run(None, {"x": x})
    np.testing.assert_allclose(found, put_back(x, image, block, strides, dilations, pads), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("columns", ["n,12,6", "n,rows,6"])
def test_an_image_of_computed_size_and_rows_without_a_number_stay(columns: str) -> None:
    proto = parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 18]> g (float[{columns}] x, int64[2] size) => (float[n,c,h,w] y) '
        "<int64[2] block = {2, 2}> { y = Col2Im(x, size, block) }"
    )
    model = graph.load(proto)
    assert not expand_col2im(model)
    assert [node.op_type for node in model.graph] == ["Col2Im"]
