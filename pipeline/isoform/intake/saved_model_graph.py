"""The graphs in a SavedModel, read from its bytes: which operators they hold, who calls which function.

Field numbers: saved_model.proto, meta_graph.proto, graph.proto, function.proto, node_def.proto, attr_value.proto and
tensor.proto of TensorFlow. A constant may hold a graph of its own, as data sets do; its operators count as those of the
graph that the constant stands in. Not aware of what an operator does.
"""

import mmap
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from isoform.intake.protobuf import BYTES, fields

Data = bytes | mmap.mmap
Span = tuple[int, int]
_OPERATOR = re.compile(rb"[A-Za-z_][\w>./-]*")
_GRAPH_FIELDS = {1, 2, 3, 4, 5}
_SHORTEST_GRAPH_BYTES = 6


@dataclass
class Node:
    """A node of a graph: ``calls`` are the functions that its attributes name."""

    name: str = ""
    operator: str = ""
    inputs: list[str] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    inner: set[str] = field(default_factory=set)


@dataclass
class Graph:
    """What one SavedModel holds, all of its meta graphs together.

    Attributes:
        nodes: of the outermost graphs.
        functions: nodes by the function's name.
        entries: names of nodes that a signature gives out.
        offered: functions that the objects of the model offer to be called.
        length: bytes that the file should have.
    """

    nodes: list[Node] = field(default_factory=list)
    functions: dict[str, list[Node]] = field(default_factory=dict)
    entries: set[str] = field(default_factory=set)
    offered: set[str] = field(default_factory=set)
    length: int = 0

    def all_nodes(self) -> Iterator[Node]:
        yield from self.nodes
        for nodes in self.functions.values():
            yield from nodes


def read(data: Data) -> Graph:
    """Return the graph whose bytes are ``data``, a whole ``saved_model.pb`` or the beginning of one.

    Raises:
        ValueError: the bytes are no such message.
    """
    graph = Graph()
    for item in fields(data, 0, len(data)):
        graph.length = item.end
        if item.end > len(data):
            break
        if item.number == 2 and item.wire == BYTES:
            _read_meta_graph(data, (item.begin, item.end), graph)
    return graph


def _read_meta_graph(data: Data, span: Span, graph: Graph) -> None:
    for number, part in _parts(data, span):
        if number == 2:
            _read_graph(data, part, graph)
        elif number == 5:
            for output in _inside(data, _inside(data, [part], 2), 2):
                names = _inside(data, _inside(data, [output], 2), 1)
                graph.entries |= {_text(data, name).partition(":")[0] for name in names}
        elif number == 7:
            keys = _inside(data, _inside(data, [part], 2), 1)
            graph.offered |= {_text(data, key) for key in keys}


def _read_graph(data: Data, span: Span, graph: Graph) -> None:
    for number, part in _parts(data, span):
        if number == 1:
            graph.nodes.append(_node(data, part))
        elif number == 2:
            for function in _inside(data, [part], 1):
                names = [_text(data, each) for each in _inside(data, _inside(data, [function], 1), 1)]
                nodes = [_node(data, each) for each in _inside(data, [function], 3)]
                graph.functions.setdefault(names[-1] if names else "", []).extend(nodes)


def _node(data: Data, span: Span) -> Node:
    node = Node()
    for number, part in _parts(data, span):
        if number == 1:
            node.name = _text(data, part)
        elif number == 2:
            node.operator = _text(data, part)
        elif number == 3:
            node.inputs.append(_text(data, part).lstrip("^").partition(":")[0])
        elif number == 5:
            for value in _inside(data, [part], 2):
                _read_attribute(data, value, node)
    return node


def _read_attribute(data: Data, span: Span, node: Node) -> None:
    """Note the functions and the graphs that an attribute holds, itself or in its list."""
    spans = [span, *_inside(data, [span], 1)]
    functions = [*_inside(data, [span], 10), *_inside(data, spans[1:], 9)]
    node.calls |= {_text(data, name) for name in _inside(data, functions, 1)}
    texts = [*_inside(data, spans, 2), *_inside(data, _inside(data, spans, 8), 8)]
    for text in texts:
        node.inner |= _operators_of_text(bytes(data[text[0] : text[1]]))


def _operators_of_text(text: bytes) -> set[str]:
    """Return the operators of the graph that ``text`` is, if it is one."""
    if len(text) < _SHORTEST_GRAPH_BYTES or text[0] & 7 != BYTES or text[0] >> 3 not in _GRAPH_FIELDS:
        return set()
    inner = Graph()
    try:
        _read_graph(text, (0, len(text)), inner)
    except ValueError:
        return set()
    nodes = list(inner.all_nodes())
    if not all(_OPERATOR.fullmatch(node.operator.encode()) for node in nodes):
        return set()
    return {name for node in nodes for name in (node.operator, *node.inner)} - set(inner.functions)


def _parts(data: Data, span: Span) -> Iterator[tuple[int, Span]]:
    """Yield number and place of the fields that hold bytes.

    Raises:
        ValueError: one of them ends behind the message.
    """
    for item in fields(data, *span):
        if item.end > span[1]:
            raise ValueError(f"a field ends at byte {item.end} of {span[1]}")
        if item.wire == BYTES:
            yield item.number, (item.begin, item.end)


def _inside(data: Data, spans: Iterable[Span], number: int) -> list[Span]:
    return [part for span in spans for found, part in _parts(data, span) if found == number]


def _text(data: Data, span: Span) -> str:
    return bytes(data[span[0] : span[1]]).decode("utf-8", "replace")
