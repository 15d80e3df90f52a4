"""Which operators take their other order of axes, so that the fewest bytes are transposed.

The answer is the minimum cut of a network: its nodes are the operators, its two sides are two ways to store tensors,
and each edge that is cut is a Transpose of as many bytes (a project selection problem: Picard, "Maximal closure of a
graph and applications to combinatorial problems", 1976). Exact, but for tensors whose neighbours disagree on what the
two ways are: of these only the part that fits is weighed, and `refine` looks at them afterwards.
"""

import itertools
from collections import defaultdict, deque
from collections.abc import Hashable, Iterator

import networkx as nx
import onnx_ir as ir
from networkx.algorithms.flow import boykov_kolmogorov

from isoform.hub.passes.layout.candidates import Candidates
from isoform.hub.passes.layout.layouts import Layout, layouts_of, refine, transpose_cost
from isoform.hub.passes.layout.order import Perm
from isoform.hub.passes.layout.rules import Moved

_SOURCE, _SINK = "source", "sink"


def choose(candidates: Candidates) -> dict[ir.Node, Moved]:
    """Return the operators that take their other order."""
    if not candidates.moved:
        return {}
    layouts = {value: layouts_of(candidates, value) for value in candidates.reads}
    normal = _sides(candidates, layouts)
    network = _network(layouts, normal)
    _, (first, _) = nx.minimum_cut(network, _SOURCE, _SINK, flow_func=boykov_kolmogorov)
    chosen = {node for node in candidates.moved if (node not in first) != normal[node]}
    refine(layouts, chosen)
    return {node: moved for node, moved in candidates.moved.items() if node in chosen}


def _sides(candidates: Candidates, layouts: dict[ir.Value, dict[Perm, Layout]]) -> dict[ir.Node, bool]:
    """Return on which side each operator is as it stands: those that store a tensor alike are on the same one.

    Where that contradicts itself, the first to ask is right.
    """
    touching: defaultdict[ir.Node, list[Layout]] = defaultdict(list)
    for ways in layouts.values():
        for way in ways.values():
            for node, _ in (*way.givers, *way.readers):
                touching[node].append(way)
    normal: dict[ir.Node, bool] = {}
    for start in candidates.moved:
        waiting = deque() if start in normal else deque([start])
        normal.setdefault(start, False)
        while waiting:
            node = waiting.popleft()
            for way in touching[node]:
                members = (*way.givers, *way.readers)
                side = next(normal[node] != is_other for other, is_other in members if other is node)
                for other, is_other in members:
                    if other not in normal:
                        normal[other] = side != is_other
                        waiting.append(other)
    return normal


def _network(layouts: dict[ir.Value, dict[Perm, Layout]], normal: dict[ir.Node, bool]) -> "nx.DiGraph[Hashable]":
    network: nx.DiGraph[Hashable] = nx.DiGraph()
    network.add_nodes_from([_SOURCE, _SINK])
    for node, side in normal.items():  # on a tie an operator stays as it stands
        _connect(network, _SOURCE, node, 1) if not side else _connect(network, node, _SINK, 1)
    names = itertools.count()
    for value, ways in layouts.items():
        given = [perm for perm, way in ways.items() if way.givers or way.is_given]
        for perm, way in ways.items():
            if not way.is_given:
                cost = max(transpose_cost(value, other, perm) for other in given if other != perm)
                for side in (False, True):
                    _charge(network, _Side(way, normal, side), cost, names)
    return network


class _Side:
    """Those of a way to store a value who are on one side of the cut."""

    def __init__(self, way: Layout, normal: dict[ir.Node, bool], is_second: bool) -> None:
        self.is_second = is_second
        self.readers = [node for node, is_other in way.readers if (normal[node] != is_other) == is_second]
        self.giver = next((node for node, is_other in way.givers if (normal[node] != is_other) == is_second), None)
        self.is_wanted = way.is_wanted
        self.is_elsewhere = bool(way.givers) and self.giver is None
        """Given so on the other side: what these readers pay would depend on two operators being alike."""


def _charge(network: "nx.DiGraph[Hashable]", side: _Side, cost: int, names: Iterator[int]) -> None:
    """Let the cut pay ``cost`` once if anybody wants a tensor in a way in which its producer does not give it."""
    if side.is_elsewhere or (side.giver is None and (side.is_wanted or not side.readers)):
        return
    if not side.readers and not side.is_wanted:
        return
    own, far = (_SINK, _SOURCE) if side.is_second else (_SOURCE, _SINK)
    giver: Hashable = side.giver if side.giver is not None else far
    anyone: Hashable = own if side.is_wanted else next(names)
    edges: list[tuple[Hashable, Hashable, int | None]] = [(anyone, giver, cost)]
    if not side.is_wanted:
        edges += [(reader, anyone, None) for reader in side.readers]
    for start, end, capacity in edges:
        _connect(network, *((end, start) if side.is_second else (start, end)), capacity)


def _connect(network: "nx.DiGraph[Hashable]", start: Hashable, end: Hashable, capacity: int | None) -> None:
    """Add an edge; without a capacity it is never cut."""
    if capacity is None:
        network.add_edge(start, end)
    elif not network.has_edge(start, end):
        network.add_edge(start, end, capacity=capacity)
    elif "capacity" in network[start][end]:
        network[start][end]["capacity"] += capacity
