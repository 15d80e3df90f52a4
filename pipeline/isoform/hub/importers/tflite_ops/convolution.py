"""Convolutions, channels last in the file and first in ONNX; weights are views of the file with their axes in order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.importers.tflite_ops.call import Call, op

TO_FIRST, TO_LAST = {4: [0, 3, 1, 2], 5: [0, 4, 1, 2, 3]}, {4: [0, 2, 3, 1], 5: [0, 2, 3, 4, 1]}
SAME = schema.Padding.SAME


def padding(same: bool, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> dict[str, Any]:
    """Return ONNX' attributes for SAME or VALID; with a stride of 1 what SAME adds depends on no size."""
    if not same:
        return {}
    if any(stride != 1 for stride in strides):
        return {"auto_pad": "SAME_UPPER"}
    totals = [dilation * (size - 1) for size, dilation in zip(kernel, dilations, strict=True)]
    return {"pads": [total // 2 for total in totals] + [total - total // 2 for total in totals]}


def window(options: Any) -> tuple[list[int], list[int]]:
    """Return strides and dilations, outermost axis first."""
    letters = "DHW" if hasattr(options, "strideD") else "HW"
    strides = [int(getattr(options, f"stride{letter}")) for letter in letters]
    return strides, [int(getattr(options, f"dilation{letter}Factor", 1)) for letter in letters]


def kernel_of(call: Call, axes: Sequence[int]) -> list[int]:
    """Return the sizes of the weight along ``axes``, which the file has to say."""
    sizes = [call.tensor(1).shape[axis] for axis in axes]
    if any(size is None for size in sizes):
        raise call.refusal("a kernel of unknown size")
    return [size for size in sizes if size is not None]


@op("CONV_2D")
def conv_2d(call: Call) -> ir.Value:
    """Weights [out, height, width, in / groups]."""
    weight = call.weight(1, lambda array: array.transpose(0, 3, 1, 2), 0, [0, 3, 1, 2])
    channels, per_group = call.tensor(0).shape[3], call.tensor(1).shape[3]
    if per_group is None:
        raise call.refusal("a weight of unknown size")
    groups = 1 if channels is None else channels // per_group
    return _convolved(call, weight, kernel_of(call, (1, 2)), groups)


@op("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(call: Call) -> ir.Value:
    """Weights [1, height, width, in * multiplier], the multiplier innermost: ONNX has one group for each channel in."""
    outputs, channels = call.tensor(1).shape[3], call.tensor(0).shape[3]
    if channels is None and outputs is not None:
        channels = outputs // max(int(call.operator.options.depthMultiplier), 1)
    if channels is None:
        raise call.refusal("an unknown number of channels")
    weight = call.weight(1, lambda array: array.transpose(3, 0, 1, 2), 0, [3, 0, 1, 2])
    return _convolved(call, weight, kernel_of(call, (1, 2)), channels)


@op("CONV_3D")
def conv_3d(call: Call) -> ir.Value:
    """Weights [depth, height, width, in, out]."""
    perm = [4, 3, 0, 1, 2]
    weight = call.weight(1, lambda array: array.transpose(perm), 0, perm)
    return _convolved(call, weight, kernel_of(call, (0, 1, 2)), 1)


def _convolved(call: Call, weight: ir.Value, kernel: list[int], groups: int) -> ir.Value:
    options = call.operator.options
    strides, dilations = window(options)
    rank, known = len(kernel) + 2, call.operator.pads
    around = padding(options.padding == SAME, kernel, strides, dilations) if known is None else {"pads": list(known)}
    inputs = [call.transposed(call[0], TO_FIRST[rank]), weight, call.bias(2)]
    result = call.emit(
        "Conv", *(inputs if inputs[2] is not None else inputs[:2]), kernel_shape=kernel, strides=strides,
        dilations=dilations, group=groups, **around,
    )  # fmt: skip
    return call.transposed(call.activated(result, options.fusedActivationFunction), TO_LAST[rank])


@op("TRANSPOSE_CONV")
def transpose_conv(call: Call) -> ir.Value:
    """Inputs: the output's sizes, weights [out, height, width, in], data, bias."""
    perm = [3, 0, 1, 2]
    weight = call.weight(1, lambda array: array.transpose(perm), 1, perm)
    return _spread(call, weight, kernel_of(call, (1, 2)))


@op("CONV_3D_TRANSPOSE")
def conv_3d_transpose(call: Call) -> ir.Value:
    """Inputs: the output's sizes, weights [depth, height, width, out, in], data, bias."""
    perm = [4, 3, 0, 1, 2]
    weight = call.weight(1, lambda array: array.transpose(perm), 1, perm)
    return _spread(call, weight, kernel_of(call, (0, 1, 2)))


def _spread(call: Call, weight: ir.Value, kernel: list[int]) -> ir.Value:
    """Return the transposed convolution, cut to the sizes asked for.

    In a known size it is one operator. Else it is computed whole, widened by what a stride may lack at the end, and cut
    when the sizes are known: as many places before as SAME takes from the sum, half of it.
    """
    options, rank = call.operator.options, len(kernel) + 2
    strides, dilations = window(options)
    data = call.transposed(call[2], TO_FIRST[rank])
    extents = [dilation * (size - 1) + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    attributes = {"kernel_shape": kernel, "strides": strides, "dilations": dilations}
    bias = call.bias(3)
    wanted, given = call.entries(0), call.tensor(2).shape[1:-1]
    static = _static(wanted[1:-1], given, strides, extents, options.padding == SAME)
    if static is not None:
        inputs = [data, weight] + ([bias] if bias is not None else [])
        result = call.emit("ConvTranspose", *inputs, **attributes, **static)
    else:
        whole = call.emit("ConvTranspose", data, weight, **attributes)
        result = _cut(call, whole, strides, options.padding == SAME)
        if bias is not None:
            result = call.emit("Add", result, call.unsqueezed(bias, *range(1, rank - 1)))
    return call.transposed(call.activated(result, options.fusedActivationFunction), TO_LAST[rank])


def _static(
    wanted: Sequence[int | None],
    given: Sequence[int | None],
    strides: Sequence[int],
    extents: Sequence[int],
    same: bool,
) -> dict[str, Any] | None:
    """Return pads and output_padding; None where a size is unknown or is none that the forward direction gives."""
    before, after, more = [], [], []
    if len(wanted) != len(given):
        return None
    for size, known, stride, extent in zip(wanted, given, strides, extents, strict=True):
        if size is None or known is None or known != -(-(size if same else size - extent + 1) // stride):
            return None
        total = (known - 1) * stride + extent - size
        before.append(max(total, 0) // 2 if same else 0)
        after.append(max(total, 0) - before[-1])
        more.append(max(-total, 0))
    if any(extra >= stride for extra, stride in zip(more, strides, strict=True)):
        return None
    return {"pads": before + after, "output_padding": more}


def _cut(call: Call, whole: ir.Value, strides: Sequence[int], same: bool) -> ir.Value:
    count = len(strides)
    zeros = [0] * (2 + count)
    wider = call.emit("Pad", whole, call.ints(*zeros, 0, 0, *strides))
    wanted = call.emit("Slice", call.sizes(0), call.ints(1), call.ints(1 + count))
    starts = call.ints(*[0] * count)
    if same:
        excess = call.emit("Sub", call.emit("Shape", whole, start=2, end=2 + count), wanted)
        starts = call.emit("Div", call.emit("Max", excess, call.number(0, "int64")), call.number(2, "int64"))
    ends = call.emit("Add", starts, wanted)
    return call.emit("Slice", wider, starts, ends, call.constant(np.arange(2, 2 + count)))
