"""LSTM and GRU as one step that is scanned over the sequence: the form in which ExecuTorch keeps a dynamic length.

PyTorch's own forms are steps written one after the other, as many as the traced length, or a while loop, which
ExecuTorch (1.5) does not emit. ExecuTorch's scan keeps its state in memory planned for one size of the batch.
Not aware of packed sequences: torch.export has none.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch._decomp.decompositions import _rnn_helper, gather_params, lstm_cell
from torch._higher_order_ops.scan import scan
from torch.export._patches import _register_rnn_while_loop_decomposition
from torch.nn import functional

from isoform.hub import torch_export

Tensors = Sequence[torch.Tensor]
RECURRENT = (torch.ops.aten.lstm.input, torch.ops.aten.gru.input)


def lstm(
    inputs: torch.Tensor, state: Tensors, weights: Any, has_biases: bool, layers: int, dropout: float,
    is_training: bool, is_bidirectional: bool, batch_first: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Return what aten.lstm.input does: the output, and the last hidden and cell states."""
    parameters = gather_params(weights, has_biases, state[0].size(2) != state[1].size(2))
    outputs, last = _rnn_helper(
        inputs, list(zip(state[0], state[1], strict=True)), parameters, has_biases, layers, dropout, is_training,
        is_bidirectional, batch_first, _lstm_layer,
    )  # fmt: skip
    hidden, cell = zip(*last, strict=True)
    return outputs, torch.stack(hidden, 0), torch.stack(cell, 0)


def gru(
    inputs: torch.Tensor, state: torch.Tensor, weights: Any, has_biases: bool, layers: int, dropout: float,
    is_training: bool, is_bidirectional: bool, batch_first: bool,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Return what aten.gru.input does: the output and the last hidden states."""
    outputs, last = _rnn_helper(
        inputs, state.unbind(0), gather_params(weights, has_biases, False), has_biases, layers, dropout, is_training,
        is_bidirectional, batch_first, _gru_layer,
    )  # fmt: skip
    return outputs, torch.stack(last, 0)


@contextmanager
def scanned() -> Iterator[None]:
    """Let LSTM and GRU be traced as scans, and sizes of 0 and 1 count as any other."""
    torch_export.forget_kernels()
    with (
        _register_rnn_while_loop_decomposition(torch.ops.aten.lstm.input, lstm),
        _register_rnn_while_loop_decomposition(torch.ops.aten.gru.input, gru),
        torch.fx.experimental._config.patch(backed_size_oblivious=True),
    ):
        yield
    torch_export.forget_kernels()


def _lstm_layer(inputs: torch.Tensor, state: Tensors, weights: Tensors, has_biases: bool, reverse: bool = False) -> Any:
    to_hidden, bias = weights[1], weights[3] if has_biases else None
    projection = weights[4] if len(weights) == 5 else weights[2] if len(weights) == 3 else None

    def step(carry: Tensors, gates: torch.Tensor) -> Any:
        hidden, cell = lstm_cell(gates, *carry, to_hidden, bias, projection, chunk_dim=1)
        return [hidden, cell], hidden.clone()

    return _scanned(step, inputs, list(state), weights, has_biases, reverse)


def _gru_layer(
    inputs: torch.Tensor, state: torch.Tensor, weights: Tensors, has_biases: bool, reverse: bool = False
) -> Any:
    to_hidden, bias = weights[1], weights[3] if has_biases else None

    def step(carry: Tensors, gates: torch.Tensor) -> Any:
        hidden = _gru_cell(gates, carry[0], functional.linear(carry[0], to_hidden, bias))
        return [hidden], hidden.clone()

    outputs, last = _scanned(step, inputs, [state], weights, has_biases, reverse)
    return outputs, last[0]


def _gru_cell(given: torch.Tensor, hidden: torch.Tensor, recurrent: torch.Tensor) -> torch.Tensor:
    """Return the next state, after the formula in the documentation of torch.nn.GRU; gates are [batch, 3 hidden]."""
    (reset, update, new), (from_reset, from_update, from_new) = given.chunk(3, 1), recurrent.chunk(3, 1)
    candidate = torch.tanh(new + torch.sigmoid(reset + from_reset) * from_new)
    return (hidden - candidate) * torch.sigmoid(update + from_update) + candidate


def _scanned(
    step: Callable[..., Any], inputs: torch.Tensor, state: list[torch.Tensor], weights: Tensors, has_biases: bool,
    reverse: bool,
) -> Any:  # fmt: skip
    """Return the states of every step, [time, batch, hidden], and those after the last one."""
    gates = functional.linear(inputs, weights[0], weights[2] if has_biases else None)
    gates = gates.flip(0) if reverse else gates
    last, outputs = scan(step, [tensor.clone() for tensor in state], gates, dim=0)
    return outputs.flip(0) if reverse else outputs, last
