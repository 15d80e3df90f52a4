"""Branches and loops: modules that hold a sub-graph each as a module of its own, and stay control flow when traced.

Each is called with the list of its node's inputs and, for each body, the list of what that captures. Not aware of how
TorchScript keeps a branch or a loop (scripted.py).
"""

from collections.abc import Callable, Mapping
from typing import Any

import onnx_ir as ir
import torch

from isoform.errors import IsoformError
from isoform.hub.emitters.torch_ops import scripted
from isoform.hub.emitters.torch_ops.dtypes import torch_dtype
from isoform.hub.emitters.torch_ops.table import Tensor, op

Bodies = Mapping[str, torch.nn.Module]
_ENDLESS = 2**63 - 1


class Control(torch.nn.Module):
    """What the operators of this file have in common: a name for messages, and bodies under their attributes' names."""

    def __init__(self, name: str, node: ir.Node, bodies: Bodies) -> None:
        super().__init__()
        self.label = f"'{node.op_type}' (node {name})"
        for key, body in bodies.items():
            self.add_module(key, body)
        self.count = len(node.outputs)

    def extra_repr(self) -> str:
        return self.label

    def answer(self, values: list[Any]) -> Any:
        """Return the outputs that the node declares."""
        return values[0] if self.count == 1 else tuple(values[: self.count])


@op("If", bodies=("then_branch", "else_branch"))
class If(Control):
    """One of two branches, chosen by a boolean at run time."""

    then_branch: torch.nn.Module
    else_branch: torch.nn.Module

    def forward(self, inputs: list[Tensor], then_captured: list[Any], else_captured: list[Any]) -> Any:
        condition = inputs[0].reshape(())
        if not torch.jit.is_tracing():
            return self.answer(self.then_branch(*then_captured) if condition else self.else_branch(*else_captured))
        values = ([condition, *then_captured], [condition, *else_captured])
        branches = [
            scripted.traced_branch(
                f"{self.label}, {name}", getattr(self, name), given, is_taken=taken == bool(condition)
            )
            for name, given, taken in zip(("then_branch", "else_branch"), values, (True, False), strict=True)
        ]
        return self.answer(scripted.choice(*branches)(condition, *values))


class Repeated(Control):
    """A body of which some outputs are carried to the next round and the others are stacked, one row a round."""

    body: torch.nn.Module

    def __init__(self, name: str, node: ir.Node, bodies: Bodies, body: ir.Graph, carried: int, given: int) -> None:
        """Args:
        carried: how many of the node's outputs are carried values.
        given: how many outputs of the body come before the carried ones.
        """
        super().__init__(name, node, bodies)
        for place, value in enumerate(body.outputs[given + carried :]):
            self.register_buffer(f"blank_{place}", _blank(value), persistent=False)
        self.blank_count = len(body.outputs) - given - carried

    def blanks(self) -> list[Tensor]:
        """Return what is stacked of no rounds at all, an empty tensor for each output that is stacked."""
        return [self.get_buffer(f"blank_{place}") for place in range(self.blank_count)]

    def step(self, function: Callable[..., Any], values: list[Any]) -> Callable[..., Any]:
        """Return ``function``, which takes one list of values; while tracing, traced with ``values``."""
        if torch.jit.is_tracing():
            return scripted.traced(self.label, function, values)
        return lambda given: function(*given)


def _blank(value: ir.Value) -> Tensor:
    dims = [dim if isinstance(dim, int) else 0 for dim in value.shape or ()]
    return torch.zeros([0, *dims], dtype=torch_dtype(value.dtype or ir.DataType.FLOAT))


@op("Loop", bodies=("body",))
class Loop(Repeated):
    """Rounds while a condition holds, as many as a number given at run time at most."""

    def __init__(self, name: str, node: ir.Node, bodies: Bodies) -> None:
        super().__init__(name, node, bodies, node.attributes["body"].as_graph(), max(len(node.inputs) - 2, 0), 1)

    def forward(self, inputs: list[Any], captured: list[Any]) -> Any:
        rounds, goes_on, *carried = inputs if len(inputs) > 1 else [*inputs, None]
        rounds = torch.tensor(_ENDLESS) if rounds is None else rounds.reshape(())
        goes_on = torch.tensor(True) if goes_on is None else goes_on.reshape(())
        step = self.step(self.body, [torch.tensor(0), goes_on, *carried, *captured])
        return self.answer(scripted.loop(step)(rounds, goes_on, carried, captured, self.blanks()))


@op("Scan", since=9, bodies=("body",))
class Scan(Repeated):
    """A body over the elements of arrays, states carried from one element to the next."""

    before_states = 0

    def __init__(self, name: str, node: ir.Node, bodies: Bodies) -> None:
        arrays = node.attributes["num_scan_inputs"].as_int()
        states = len(node.inputs) - self.before_states - arrays
        super().__init__(name, node, bodies, node.attributes["body"].as_graph(), states, 0)
        self.states = states
        self.input_axes = _ints(node, "scan_input_axes", arrays)
        self.input_directions = _ints(node, "scan_input_directions", arrays)
        self.output_axes = _ints(node, "scan_output_axes", self.blank_count)
        self.output_directions = _ints(node, "scan_output_directions", self.blank_count)

    def forward(self, inputs: list[Tensor], captured: list[Any]) -> Any:
        arrays = [
            _turned(array.movedim(axis, 0), back)
            for array, axis, back in zip(inputs[self.states :], self.input_axes, self.input_directions, strict=True)
        ]
        final, stacked = self.scanned(inputs[: self.states], arrays, captured)
        placed = [
            _turned(array, back).movedim(0, axis)
            for array, axis, back in zip(stacked, self.output_axes, self.output_directions, strict=True)
        ]
        return self.answer([*final, *placed])

    def scanned(self, states: list[Tensor], arrays: list[Tensor], captured: list[Any]) -> tuple[list[Any], list[Any]]:
        """Return the states after the last element of the first axes, and what each element gave out, stacked."""
        step = self.step(self.body, [*states, *_firsts(arrays), *captured])
        results = scripted.scan(step)(states, arrays, captured, self.blanks())
        return results[: self.states], results[self.states :]


@op("Scan", bodies=("body",))
class ScanOfBatches(Scan):
    """The form before opset 9: the batch is the first axis of all, and each row of it is scanned by itself."""

    before_states = 1

    def __init__(self, name: str, node: ir.Node, bodies: Bodies) -> None:
        if node.inputs[0] is not None:
            raise IsoformError(
                f"'Scan' (node {name}, opset 8) is given the lengths of its sequences.",
                "Export the model for opset 9 or later.",
                kind="unsupported-operator",
            )
        super().__init__(name, node, bodies)
        self.input_directions = _ints(node, "directions", len(self.input_axes))

    def forward(self, inputs: list[Any], captured: list[Any]) -> Any:
        if torch.jit.is_tracing():
            raise scripted.frozen(self.label, "the number of rows, scanned one by one before opset 9,")
        rows = []
        for row in zip(*inputs[1:], strict=True):
            elements = zip(row[self.states :], self.input_directions, strict=True)
            arrays = [_turned(array, back) for array, back in elements]
            final, stacked = self.scanned(list(row[: self.states]), arrays, captured)
            rows.append([*final, *stacked])
        return self.answer([torch.stack(column) for column in zip(*rows, strict=True)])


def _ints(node: ir.Node, name: str, count: int) -> list[int]:
    return list(node.attributes[name].as_ints()) if name in node.attributes else [0] * count


def _turned(array: Tensor, backwards: int) -> Tensor:
    return array.flip(0) if backwards else array


def _firsts(arrays: list[Tensor]) -> list[Tensor]:
    """Return an element of each array to trace a body with; zeros where there is none."""
    if not torch.jit.is_tracing():
        return []
    with scripted.paused():
        return [array[0] if len(array) else array.new_zeros(array.shape[1:]) for array in arrays]
