"""Faults in one weight: stale, rounded, dropped, misplaced."""

from collections.abc import Callable, Iterator

import numpy as np
import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.faults.table import planted

_LAYERS = {"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN"}
_RECURRENT = {"LSTM", "GRU", "RNN"}
_GATES = {"LSTM": 4, "GRU": 3}


@planted
def one_weight_off_by_a_thousandth(model: ir.Model, rng: np.random.Generator) -> str | None:
    def change(array: Array) -> Array:
        array.flat[int(np.abs(array).argmax())] *= 1.001
        return array

    return _change(_kernels(model), rng, change)


@planted
def a_layer_rounded_to_fp16(model: ir.Model, rng: np.random.Generator) -> str | None:
    return _change(_kernels(model), rng, lambda array: array.astype(np.float16).astype(np.float32))


@planted
def stale_weights(model: ir.Model, rng: np.random.Generator) -> str | None:
    """Change a kernel as a later step of training does: every element, by about a hundredth."""
    return _change(_kernels(model), rng, lambda array: array * (1 + 0.01 * rng.normal(size=array.shape)))


@planted
def a_zeroed_channel(model: ir.Model, rng: np.random.Generator) -> str | None:
    def change(array: Array) -> Array:
        array[int(np.abs(array).reshape(len(array), -1).max(1).argmax())] = 0
        return array

    return _change(_kernels(model), rng, change)


@planted
def two_swapped_channels(model: ir.Model, rng: np.random.Generator) -> str | None:
    def change(array: Array) -> Array:
        array[[0, 1]] = array[[1, 0]]
        return array

    return _change([value for value in _kernels(model) if _array(value).shape[0] > 1], rng, change)


@planted
def a_dropped_bias(model: ir.Model, rng: np.random.Generator) -> str | None:
    return _change([value for value in _biases(model) if _array(value).any()], rng, np.zeros_like)


@planted
def height_and_width_swapped(model: ir.Model, rng: np.random.Generator) -> str | None:
    kernels = [value for value in _kernels(model) if _array(value).ndim == 4]
    square = [value for value in kernels if 1 < _array(value).shape[2] == _array(value).shape[3]]
    return _change(square, rng, lambda array: np.swapaxes(array, 2, 3))


@planted
def two_swapped_gates(model: ir.Model, rng: np.random.Generator) -> str | None:
    nodes = [node for node in _nodes(model) if node.op_type in _GATES and _is_weight(node.inputs[1])]
    if not nodes:
        return None
    node = nodes[int(rng.integers(len(nodes)))]

    def change(array: Array) -> Array:
        blocks = np.split(array, _GATES[node.op_type], axis=1)
        return np.concatenate([blocks[1], blocks[0], *blocks[2:]], axis=1)

    return _change([node.inputs[1]], rng, change)


def _change(values: list[ir.Value], rng: np.random.Generator, change: Callable[[Array], Array]) -> str | None:
    """Change one of ``values``, whichever ``rng`` draws, if that makes a difference."""
    if not values:
        return None
    value = values[int(rng.integers(len(values)))]
    before = _array(value)
    after = np.ascontiguousarray(change(before.copy()).astype(before.dtype))
    if np.array_equal(before, after):
        return None
    value.const_value = ir.tensor(after, name=value.name)
    return f"'{value.name}'"


def _nodes(model: ir.Model) -> Iterator[ir.Node]:
    for graph in model.graphs():
        yield from graph


def _kernels(model: ir.Model) -> list[ir.Value]:
    """Return the float32 weights of layers that have more than one axis, each once."""
    found = [value for node in _nodes(model) if node.op_type in _LAYERS for value in node.inputs]
    return list(dict.fromkeys(value for value in found if _is_weight(value) and _array(value).ndim > 1))


def _biases(model: ir.Model) -> list[ir.Value]:
    """Return the vectors that layers and additions read."""
    found = [value for node in _nodes(model) if node.op_type in _LAYERS - _RECURRENT | {"Add"} for value in node.inputs]
    return list(dict.fromkeys(value for value in found if _is_weight(value) and _array(value).ndim == 1))


def _is_weight(value: ir.Value | None) -> bool:
    is_float = value is not None and value.const_value is not None and value.const_value.dtype == ir.DataType.FLOAT
    return is_float and value is not None and value.const_value is not None and value.const_value.size > 1


def _array(value: ir.Value) -> Array:
    assert value.const_value is not None
    return value.const_value.numpy()
