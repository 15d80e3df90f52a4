"""Recurrent operators, as PyTorch's own: batch and length dynamic."""

from typing import Any

import numpy as np
import torch

from isoform.hub.emitters.torch_ops.call import Array, Call, op

_FROM_ONNX = (0, 2, 3, 1)
"""PyTorch's gates are input, forget, cell, output; ONNX' are input, output, forget, cell."""


@op("LSTM")
def lstm(call: Call) -> list[Any]:
    """Return Y [length, directions, batch, units], and the last hidden and cell states [directions, batch, units]."""
    _refuse_variants(call)
    kernel, recurrent, bias = (call.array(index) for index in (1, 2, 3))
    if kernel is None or recurrent is None or (call.get(3) is not None and bias is None):
        raise call.refusal("computed weights")
    directions, units = kernel.shape[0], recurrent.shape[2]
    weights = [tensor for place in range(directions) for tensor in _weights(call, place, kernel, recurrent, bias)]
    is_reversed = call.string("direction", "forward") == "reverse"
    x = call[0].flip([0]) if is_reversed else call[0]
    states = tuple(_state(call, index, directions, units) for index in (5, 6))
    answer = torch.lstm(x, states, weights, bias is not None, 1, 0.0, False, directions == 2, False)
    sequence = answer[0].flip([0]) if is_reversed else answer[0]
    return [sequence.unflatten(2, [directions, units]).transpose(1, 2), answer[1], answer[2]]


def _weights(call: Call, place: int, kernel: Array, recurrent: Array, bias: Array | None) -> list[Any]:
    """Return W_ih, W_hh and both biases of one direction, as parameters in PyTorch's order of gates."""
    tensors = [call.arranged(1, _reordered(kernel[place])), call.arranged(2, _reordered(recurrent[place]))]
    if bias is not None:
        tensors += [call.arranged(3, _reordered(row)) for row in np.split(bias[place], 2)]
    return tensors


def _reordered(array: Array) -> Array:
    gates = np.split(array, 4)
    return np.concatenate([gates[place] for place in _FROM_ONNX])


def _state(call: Call, index: int, directions: int, units: int) -> Any:
    given = call.get(index)
    return call[0].new_zeros([directions, call[0].shape[1], units]) if given is None else call[index]


def _refuse_variants(call: Call) -> None:
    if call.get(4) is not None:
        raise call.refusal("a length for each sequence")
    if call.get(7) is not None:
        raise call.refusal("peepholes")
    names = call.node.attributes["activations"].as_strings() if "activations" in call.node.attributes else []
    usual = [name.lower() for name in names] in ([], ["sigmoid", "tanh", "tanh"], ["sigmoid", "tanh", "tanh"] * 2)
    if not usual or call.int("layout", 0) or call.int("input_forget", 0) or "clip" in call.node.attributes:
        raise call.refusal("other activations, layout, clipping or coupled gates")
