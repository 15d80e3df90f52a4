"""What the rules are told of a node: its inputs' shapes, and the numbers in those that are lists of sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.symbolic.size import Size

Shape = tuple[Size, ...]
Entries = tuple[Size | None, ...]
"""Numbers; None for one that is known only when the model runs."""


class Numbers(NamedTuple):
    """The content of a tensor of integers or truth values: a list, or a scalar with one entry."""

    entries: Entries
    is_list: bool


@dataclass(frozen=True)
class Call:
    """A node, and ways to ask what is known of its inputs.

    Attributes:
        shape: the sizes of an input, None where not even their number is known.
        numbers: what an input holds, None where it is no short list of integers or nothing is known.
    """

    node: ir.Node
    opset: int
    shape: Callable[[int], Shape | None]
    numbers: Callable[[int], Numbers | None]

    def has(self, place: int) -> bool:
        """Return whether there is such an input."""
        return len(self.node.inputs) > place and self.node.inputs[place] is not None

    def integer(self, name: str, default: int) -> int:
        """Return an attribute."""
        return int(self.node.attributes[name].as_int()) if name in self.node.attributes else default

    def integers(self, name: str) -> Sequence[int] | None:
        """Return an attribute, None where it is absent."""
        return [int(item) for item in self.node.attributes[name].as_ints()] if name in self.node.attributes else None

    def text(self, name: str, default: str) -> str:
        """Return an attribute."""
        return self.node.attributes[name].as_string() if name in self.node.attributes else default

    def constants(self, name: str, place: int) -> Sequence[int] | None:
        """Return integers that are an attribute in older opsets and a constant input in newer ones."""
        if name in self.node.attributes:
            return self.integers(name)
        array = constant(self.node.inputs[place]) if self.has(place) else None
        return None if array is None or array.dtype.kind not in "iu" else [int(item) for item in array.reshape(-1)]

    def axes(self, place: int, rank: int) -> Sequence[int] | None:
        """Return the axes that a node names, all counted from 0; None where they are not known."""
        found = self.constants("axes", place)
        return None if found is None else [axis + rank * (axis < 0) for axis in found]
