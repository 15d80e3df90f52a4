"""What each operator may become: as it stands, or in the one other order of axes that Transposes around it suggest."""

import itertools
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.layout.order import Perm, identity, inverse, moves, origin, permutation, then, upright
from isoform.hub.passes.layout.rules import (
    Moved,
    Rule,
    Stored,
    giving_ones_elsewhere,
    is_right_factor,
    rank_of,
    rule_of,
)

_SEARCHED_RANK = 5
Suggestion = tuple[ir.Node, int | None, Perm]
"""That an operator reads input i in an order; None for its outputs."""


@dataclass(frozen=True)
class Read:
    """One input of one operator: ``node`` reads the Transpose of a value by ``order``.

    Attributes:
        node: None for a reader that can read nothing else: the graph's caller, or the body of a Loop.
        is_factor: the right side of a matrix product, of which the last two axes may stand either way.
    """

    node: ir.Node | None
    index: int
    order: Perm
    is_factor: bool = False


@dataclass
class Candidates:
    """The operators of one graph.

    Attributes:
        reads: who reads each value, seen through Transposes.
        moved: what an operator becomes in its other order, for those that have one.
    """

    graph: ir.Graph
    opset: int
    reads: dict[ir.Value, list[Read]] = field(init=False)
    moved: dict[ir.Node, Moved] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reads = _reads(self.graph)
        waiting = deque(self._seeds())
        while waiting:
            node, index, perm = waiting.popleft()
            rule = rule_of(node, self.opset) if node.graph is self.graph and node not in self.moved else None
            if rule is None:
                continue
            moved = _reading(rule, node, index, perm) if index is not None else _giving(rule, node, perm)
            if moved is not None:
                self.moved[node] = moved
                waiting.extend(self._neighbours(node, moved))

    def _seeds(self) -> Iterator[Suggestion]:
        for value, reads in self.reads.items():
            for order in dict.fromkeys(read.order for read in reads if moves(read.order)):
                yield from self._about(value, identity(len(order)))
                yield from self._about(value, inverse(order))

    def _about(self, value: ir.Value, perm: Perm) -> Iterator[Suggestion]:
        """Suggest to all who give or read ``value`` that it be stored as what it is the Transpose of by ``perm``."""
        producer = value.producer()
        if producer is not None and moves(perm):
            yield producer, None, perm
        for read in self.reads.get(value, ()):
            order = then(perm, read.order)
            if read.node is not None and moves(order):
                yield read.node, read.index, order

    def _neighbours(self, node: ir.Node, moved: Moved) -> Iterator[Suggestion]:
        for value in node.outputs:
            if rank_of(value) == len(moved.perm):
                yield from self._about(value, moved.perm)
        for operand in moved.inputs:
            if isinstance(operand, Stored) and constant(operand.value) is None:
                before, order = origin(operand.value)
                yield from self._about(before, then(operand.perm, inverse(order)))


def _reads(graph: ir.Graph) -> dict[ir.Value, list[Read]]:
    reads: defaultdict[ir.Value, list[Read]] = defaultdict(list)

    def note(value: ir.Value, node: ir.Node | None, index: int) -> None:
        before, order = origin(value)
        if order and constant(before) is None:
            is_factor = node is not None and is_right_factor(node, index)
            reads[before].append(Read(node, index, upright(order) if is_factor else order, is_factor))

    for node in graph:
        if permutation(node) is None:
            for index, value in enumerate(node.inputs):
                if value is not None:
                    note(value, node, index)
    for value in graph.outputs:
        note(value, None, 0)
    for value in [*graph.inputs, *(output for node in graph for output in node.outputs)]:
        if any(use.node.graph is not graph for use in value.uses()):
            note(value, None, 0)
    return dict(reads)


def _reading(rule: Rule, node: ir.Node, index: int, perm: Perm) -> Moved | None:
    """Return what ``node`` becomes if it reads input ``index`` in that order."""
    moved = rule(node, perm)
    operand = moved.inputs[index] if moved is not None else None
    return moved if isinstance(operand, Stored) and operand.perm == perm else None


def _giving(rule: Rule, node: ir.Node, perm: Perm) -> Moved | None:
    """Return what ``node`` becomes if it gives its result in that order."""
    rank = rank_of(node.inputs[0])
    if rank is None or rank > _SEARCHED_RANK:
        return None
    if (reshaped := giving_ones_elsewhere(node, perm)) is not None:
        return reshaped
    others = itertools.permutations(range(rank)) if rank != len(perm) or node.op_type == "Reshape" else [perm]
    found = (rule(node, order) for order in others if moves(order))
    return next((moved for moved in found if moved is not None and moved.perm == perm), None)
