"""The ways to store each tensor: who gives and who wants it so, and what the Transpose from one to another costs."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from isoform.hub.passes.layout.candidates import Candidates, Read
from isoform.hub.passes.layout.order import Perm, identity, inverse, keeps_order, swapped, then
from isoform.hub.passes.layout.rules import Stored, rank_of

_NOMINAL_SIZE = 32
"""What a dynamic size counts for; a dynamic first axis is the batch and counts for one."""
_CALL_BYTES = 4096
"""An operator more costs about as much as so many bytes."""
_RESHAPE_BYTES = 256
"""A Transpose that moves axes of size one alone becomes a Reshape."""


@dataclass
class Layout:
    """One way to store a value: who gives and who wants it so, each in its normal or (True) in its other order.

    Attributes:
        is_given: it is always stored so: nothing ever has to be paid.
        is_wanted: somebody always wants it so.
    """

    givers: list[tuple[ir.Node, bool]] = field(default_factory=list)
    readers: list[tuple[ir.Node, bool]] = field(default_factory=list)
    is_given: bool = False
    is_wanted: bool = False


def layouts_of(candidates: Candidates, value: ir.Value) -> dict[Perm, Layout]:
    """Return the ways to store ``value``, by the Transpose that gives it back."""
    found: defaultdict[Perm, Layout] = defaultdict(Layout)
    moved, producer = candidates.moved, value.producer()
    normal = identity(rank_of(value) or 0)
    if producer is not None and producer in moved and moved[producer].perm != normal:
        found[normal].givers.append((producer, False))
        found[moved[producer].perm].givers.append((producer, True))
    else:
        found[normal].is_given = True
    for read in candidates.reads[value]:
        if read.is_factor and not {inverse(read.order), inverse(swapped(read.order))}.isdisjoint(found):
            _want_factor(found, read)
            continue
        back = inverse(read.order)
        operand = moved[read.node].inputs[read.index] if read.node is not None and read.node in moved else None
        if read.node is None or not isinstance(operand, Stored):
            found[back].is_wanted = True
            continue
        found[back].readers.append((read.node, False))
        found[then(operand.perm, back)].readers.append((read.node, True))
    return found


def _want_factor(found: dict[Perm, Layout], read: Read) -> None:
    """Note that a product wants either of two ways, of which its producer gives at least one."""
    ways = [found[back] for back in (inverse(read.order), inverse(swapped(read.order))) if back in found]
    is_always = any(way.is_given for way in ways) or len([way for way in ways if way.givers]) > 1
    if not is_always:
        ways[0].is_wanted = True


def transpose_cost(value: ir.Value, given: Perm, wanted: Perm) -> int:
    """Return, in bytes, what the Transpose from one way to store ``value`` to another costs."""
    assert value.shape is not None, "values without a rank are not read through Transposes"
    stored = [value.shape[axis] for axis in inverse(given)]
    if keeps_order(stored, then(given, inverse(wanted))):
        return _RESHAPE_BYTES
    size = value.dtype.itemsize if value.dtype is not None else 4
    for axis, dim in enumerate(value.shape):
        size *= dim if isinstance(dim, int) else 1 if axis == 0 else _NOMINAL_SIZE
    return int(size) + _CALL_BYTES


def refine(layouts: Mapping[ir.Value, Mapping[Perm, Layout]], chosen: set[ir.Node]) -> None:
    """Let single operators change their mind, in place, as long as that saves bytes; none if nothing is gained."""
    touching: defaultdict[ir.Node, set[ir.Value]] = defaultdict(set)
    for value, ways in layouts.items():
        for way in ways.values():
            for node, _ in (*way.givers, *way.readers):
                touching[node].add(value)
    is_better = True
    while is_better:
        is_better = False
        for node, values in touching.items():
            changed = chosen ^ {node}
            gain = sum(_paid(value, layouts[value], chosen) - _paid(value, layouts[value], changed) for value in values)
            if gain > 0:
                chosen ^= {node}
                is_better = True
    before, after = (sum(_paid(value, ways, nodes) for value, ways in layouts.items()) for nodes in (set(), chosen))
    if before <= after:
        chosen.clear()


def _paid(value: ir.Value, ways: Mapping[Perm, Layout], chosen: set[ir.Node]) -> int:
    """Return the bytes that are transposed of ``value`` if the operators in ``chosen`` take their other order."""

    def holds(members: list[tuple[ir.Node, bool]]) -> bool:
        return any((node in chosen) == is_other for node, is_other in members)

    given = next(perm for perm, way in ways.items() if way.is_given or holds(way.givers))
    wanted = (perm for perm, way in ways.items() if perm != given and (way.is_wanted or holds(way.readers)))
    return sum(transpose_cost(value, given, perm) for perm in wanted)
