"""Sequences of tensors, which are lists here, and optionals, which are None where they hold nothing.

Positions have to be known when the module is traced: TorchScript keeps what the list held then.
"""

from typing import Any

import torch

from isoform.hub.emitters.torch_ops.control import Control
from isoform.hub.emitters.torch_ops.scripted import frozen
from isoform.hub.emitters.torch_ops.table import Tensor, op, static

Sequence = list[Any]
_ALL = range(2**31)


@op("SequenceEmpty")
def sequence_empty(*, dtype: torch.dtype = torch.float32) -> Sequence:
    """Return a sequence without elements; a list has no dtype."""
    return []


@op("SequenceConstruct", buffers=_ALL)
def sequence_construct(*tensors: Tensor) -> Sequence:
    return list(tensors)


@op("SequenceLength")
def sequence_length(sequence: Sequence) -> Tensor:
    if torch.jit.is_tracing():
        raise frozen("'SequenceLength'", "the length of a sequence")
    return torch.tensor(len(sequence))


@op("SequenceAt", known=(1,))
def sequence_at(sequence: Sequence, position: Any) -> Any:
    return sequence[_place("SequenceAt", position)]


@op("SequenceInsert", known=(2,), buffers=(1,))
def sequence_insert(sequence: Sequence, tensor: Any, position: Any = None) -> Sequence:
    """Return the sequence with a tensor before a position, or at its end."""
    place = len(sequence) if position is None else _place("SequenceInsert", position)
    longer = list(sequence)
    longer.insert(place, tensor)
    return longer


@op("SequenceErase", known=(1,))
def sequence_erase(sequence: Sequence, position: Any = None) -> Sequence:
    """Return the sequence without the tensor at a position, or without its last one."""
    place = len(sequence) - 1 if position is None else _place("SequenceErase", position) % len(sequence)
    return [*sequence[:place], *sequence[place + 1 :]]


def _place(name: str, position: Any) -> int:
    found = static(position, f"{name} with a position")
    return int(found[0] if isinstance(found, list) else found)


@op("SplitToSequence", known=(1,))
def split_to_sequence(x: Tensor, split: Any = None, *, axis: int = 0, keepdims: int = 1) -> Sequence:
    """Return the parts of x along an axis: of given sizes, of one size, or of size 1, then perhaps without the axis."""
    if split is None:
        return list(x.split(1, axis) if keepdims else x.unbind(axis))
    return list(x.split(static(split, "SplitToSequence with sizes"), axis))


@op("ConcatFromSequence")
def concat_from_sequence(sequence: Sequence, *, axis: int, new_axis: int = 0) -> Tensor:
    return torch.stack(sequence, axis) if new_axis else torch.cat(sequence, axis)


@op("SequenceMap", bodies=("body",))
class SequenceMap(Control):
    """A body over the elements of sequences, tensors beside them given to every call."""

    body: torch.nn.Module

    def forward(self, inputs: Sequence, captured: Sequence) -> Any:
        results = []
        for index in range(len(inputs[0])):
            given = [value[index] if isinstance(value, list) else value for value in inputs]
            results.append(self.body(*given, *captured))
        return self.answer([list(column) for column in zip(*results, strict=True)] or [[] for _ in range(self.count)])


@op("Optional", buffers=(0,))
def optional(value: Any = None, *, type: Any = None) -> Any:  # noqa: A002
    return value


@op("OptionalHasElement")
def optional_has_element(value: Any = None) -> Tensor:
    return torch.tensor(value is not None)


@op("OptionalGetElement")
def optional_get_element(value: Any) -> Any:
    """Return what an optional holds.

    Raises:
        ValueError: it holds nothing.
    """
    if value is None:
        raise ValueError("OptionalGetElement of an optional that holds nothing")
    return value
