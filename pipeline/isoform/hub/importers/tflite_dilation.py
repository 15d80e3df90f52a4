"""Dilated convolutions that a TFLite file spells out: space to batch, convolution without padding, batch to space.

Every d-th element of an axis goes to the same entry of a larger batch, so that a dense window there is a dilated one
here; what is padded before and cut after is padding. Not aware of ONNX.
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.importers.tflite_file import Operator, SubGraph, readings

_INPUTS = 3
_CONVOLUTIONS = {"CONV_2D": schema.Conv2DOptionsT, "DEPTHWISE_CONV_2D": schema.DepthwiseConv2DOptionsT}


def join_dilated(graph: SubGraph) -> SubGraph:
    """Return the sub-graph with one operator in the place of each three."""
    reads = Counter(readings(graph))
    makers = {place: operator for operator in graph.operators for place in operator.outputs}
    joined: dict[int, Operator] = {}
    gone: set[int] = set()
    for last in graph.operators:
        if last.name != "BATCH_TO_SPACE_ND" or len(last.inputs) < _INPUTS:
            continue
        middle = makers.get(last.inputs[0])
        first = makers.get(middle.inputs[0]) if middle and middle.inputs and middle.name in _CONVOLUTIONS else None
        if middle is None or first is None or first.name != "SPACE_TO_BATCH_ND" or len(first.inputs) < _INPUTS:
            continue
        one = _joined(graph, first, middle, last)
        if one is not None and reads[first.outputs[0]] == reads[middle.outputs[0]] == 1:
            joined[last.index] = one
            gone |= {first.index, middle.index}
    operators = [joined.get(each.index, each) for each in graph.operators if each.index not in gone]
    return dataclasses.replace(graph, operators=operators)


def _joined(graph: SubGraph, first: Operator, middle: Operator, last: Operator) -> Operator | None:
    blocks, padded, others, cut = (
        _ints(graph, place) for place in (first.inputs[1], first.inputs[2], last.inputs[1], last.inputs[2])
    )
    options = middle.options
    if not isinstance(options, _CONVOLUTIONS[middle.name]):
        return None
    is_plain = options.padding == schema.Padding.VALID and options.strideH == options.strideW == 1
    is_dense = options.dilationHFactor == options.dilationWFactor == 1
    if not (is_plain and is_dense) or blocks is None or blocks != others or padded is None or cut is None:
        return None
    pads = [before - after for before, after in zip(padded, cut, strict=True)]  # top, bottom, left, right
    if len(blocks) != 2 or min(pads) < 0:
        return None
    dilated = _CONVOLUTIONS[middle.name]()
    vars(dilated).update(vars(options) | {"dilationHFactor": blocks[0], "dilationWFactor": blocks[1]})
    inputs = (first.inputs[0], *middle.inputs[1:])
    top, bottom, left, right = pads
    return dataclasses.replace(
        middle, inputs=inputs, outputs=last.outputs, options=dilated, pads=(top, left, bottom, right)
    )


def _ints(graph: SubGraph, place: int) -> Sequence[int] | None:
    array = graph.tensors[place].array
    return None if array is None else [int(number) for number in array.reshape(-1)]
