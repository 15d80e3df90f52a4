"""Three operators that spell a dilated convolution become one, where nothing else reads what is between them."""

import io
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import FlatFile
from isoform.hub.importers.tflite_dilation import join_dilated
from isoform.hub.importers.tflite_file import SubGraph, read

CODE = schema.BuiltinOperator


def spelled(
    *, padded: Any = ((2, 3), (1, 2)), cut: Any = ((0, 1), (0, 0)), others: Any = (2, 2), stride: int = 1,
    padding: int = schema.Padding.VALID, reads: int = 1,
) -> SubGraph:  # fmt: skip
    file = FlatFile()
    graph = file.sub_graph("main")
    x = graph.input("x", "float32", [1, 9, 9, 3])
    numbers = [np.array(array, np.int32) for array in ((2, 2), padded, others, cut)]
    blocks, before, same, after = (graph.constant(array) for array in numbers)
    batch = graph.make(CODE.SPACE_TO_BATCH_ND, [x, blocks, before], [None] * 4)
    weights = [graph.constant(np.ones(shape, np.float32)) for shape in ((4, 3, 3, 3), (4,))]
    options = schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW = padding, stride, stride
    dense = graph.make(CODE.CONV_2D, [batch, *weights], [None] * 4, options)
    graph.outputs = [graph.make(CODE.BATCH_TO_SPACE_ND, [dense, same, after], [None] * 4)]
    graph.outputs += [dense] * (reads - 1)
    buffer = io.BytesIO()
    file.write(buffer)
    return read(buffer.getvalue()).sub_graphs[0]


def test_three_operators_become_one_dilated_convolution() -> None:
    graph = spelled()
    [joined] = join_dilated(graph).operators
    assert joined.name == "CONV_2D"
    assert joined.inputs[0] == graph.inputs[0]
    assert joined.outputs == graph.outputs
    assert (joined.options.dilationHFactor, joined.options.dilationWFactor) == (2, 2)
    assert joined.pads == (2, 1, 2, 2)  # what is cut after is not padded before: top, left, bottom, right


@pytest.mark.parametrize(
    "changed",
    [
        {"reads": 2},
        {"stride": 2},
        {"others": (3, 2)},
        {"padding": schema.Padding.SAME},
        {"cut": ((3, 0), (0, 0))},
    ],
    ids=["read elsewhere", "strided", "other blocks", "padded itself", "cut more than padded"],
)
def test_what_is_no_dilated_convolution_stays_as_it_is(changed: dict[str, Any]) -> None:
    graph = spelled(**changed)
    assert [operator.name for operator in join_dilated(graph).operators] == [
        "SPACE_TO_BATCH_ND", "CONV_2D", "BATCH_TO_SPACE_ND",
    ]  # fmt: skip
