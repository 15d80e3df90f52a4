"""What is known of sizes in a graph and in its bodies: each value's shape, and the numbers in lists of sizes.

The names are those of the inputs' dimensions, and those that ONNX' inference gives to what it cannot compute. Only they
are believed, never what an exporter noted of values inside. Dimensions inside a loop's body mean one round of it.
"""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant as constant_of
from isoform.hub.passes.symbolic import number_rules, shape_rules
from isoform.hub.passes.symbolic.call import Call, Entries, Numbers, Shape
from isoform.hub.passes.symbolic.size import Size, constant, named

_LONGEST = 64
_COUNTING = (ir.DataType.INT32, ir.DataType.INT64, ir.DataType.BOOL)
_LARGEST = 2**31 - 1


class Analysis:
    """The sizes of one graph; shapes have to be inferred before.

    Attributes:
        shapes: by value, every size, those that nothing is known of under names of their own.
        numbers: by value, the entries of short lists of integers.
        given: the names of the dimensions of the graph's inputs.
    """

    def __init__(self, model: ir.Model) -> None:
        self.shapes: dict[ir.Value, Shape] = {}
        self.numbers: dict[ir.Value, Numbers] = {}
        self._aliases: dict[str, Size] = {}
        self._opset = model.opset_imports.get("", 1)
        self.given = {name for value in model.graph.inputs for name in _names(value)}
        self._results = set(model.graph.outputs)
        self._visit(model.graph, "")

    def shape(self, value: ir.Value | None) -> Shape | None:
        """Return the sizes of a value, None where not even their number is known."""
        if value is None:
            return None
        if value not in self.shapes and value.producer() is None:
            self._note(value, None, "")
        return self.shapes.get(value)

    def content(self, value: ir.Value | None) -> Numbers | None:
        """Return the integers that a value holds, None where they are not followed."""
        if value is None:
            return None
        if value not in self.numbers:
            found = _constant(value)
            if found is None:
                return None
            self.numbers[value] = found
        return self.numbers[value]

    def _visit(self, graph: ir.Graph, scope: str) -> None:
        for value in graph.inputs:
            self._note(value, None, scope)
        for node in graph:
            for body, inner in _bodies(node, scope):
                self._visit(body, inner)
            self._follow(node, scope)

    def _follow(self, node: ir.Node, scope: str) -> None:
        is_standard = node.domain in ("", "ai.onnx")
        inputs = node.inputs
        call = Call(
            node,
            node.version or self._opset,
            lambda place: self.shape(inputs[place]) if place < len(inputs) else None,
            lambda place: self.content(inputs[place]) if place < len(inputs) else None,
        )
        rule = shape_rules.RULES.get(node.op_type) if is_standard else None
        found = rule(call) if rule is not None else self._of_bodies(node) if is_standard else None
        for place, value in enumerate(node.outputs):
            self._note(value, found[place] if found is not None and place < len(found) else None, scope)
        count = number_rules.RULES.get(node.op_type) if is_standard else None
        if count is not None and node.outputs[0].dtype in _COUNTING:
            numbers = count(call)
            if numbers is not None and len(numbers.entries) <= _LONGEST:
                self.numbers[node.outputs[0]] = numbers._replace(entries=tuple(map(_bounded, numbers.entries)))

    def _of_bodies(self, node: ir.Node) -> list[Entries | None] | None:
        """Return what is known of the results of a node from the bodies in it."""
        if node.op_type == "If":
            sides = [node.attributes[name].as_graph().outputs for name in ("then_branch", "else_branch")]
            return [same(*map(self.shape, pair)) for pair in zip(*sides, strict=True)]
        if node.op_type != "Loop":
            return None
        begin, end = node.inputs[2:], node.attributes["body"].as_graph().outputs[1:]
        # Where no round takes place, a carried value is what it was before.
        carried = [same(self.shape(first), self.shape(last)) for first, last in zip(begin, end, strict=False)]
        return [*carried, *(self._stacked(value) for value in end[len(begin) :])]

    def _stacked(self, value: ir.Value) -> Entries | None:
        """Return the sizes of what rounds put out, where they are the same in each."""
        shape = self.shape(value)
        return None if shape is None else (None, *(size if size.atoms() <= self.given else None for size in shape))

    def _note(self, value: ir.Value, own: Entries | None, scope: str) -> None:
        """Join what a rule here says of a value with what ONNX' inference does."""
        tensor = value.const_value
        dims = value.shape if tensor is None or value.producer() is not None else tensor.shape
        if own is not None and dims is not None and len(own) != len(dims):
            own = None
        if own is None and dims is None:
            return
        count = len(own) if own is not None else len(dims or ())
        sizes: list[Size] = []
        for axis in range(count):
            mine = own[axis] if own is not None else None
            sizes.append(self._size(value, axis, mine, dims[axis] if dims is not None else None, scope))
        self.shapes[value] = tuple(sizes)

    def _size(self, value: ir.Value, axis: int, own: Size | None, dim: object, scope: str) -> Size:
        if isinstance(dim, int):
            return constant(dim)
        # A name on an output may be an exporter's; one made up inside a loop may be that of another round.
        text = dim.value if isinstance(dim, ir.SymbolicDim) and not self._is_declared(value) else None
        name = f"?{id(value)}.{axis}" if not text else text if text in self.given else f"{scope}{text}"
        if own is not None:
            if text and text not in self.given:
                self._aliases.setdefault(name, own)
            return own
        return self._aliases.get(name) or named(name)

    def _is_declared(self, value: ir.Value) -> bool:
        return value in self._results and not value.is_graph_input()


def same(one: Shape | None, other: Shape | None) -> Entries | None:
    """Return the sizes that two shapes have in common, None where they have another rank."""
    if one is None or other is None or len(one) != len(other):
        return None
    return tuple(size if size == other_size else None for size, other_size in zip(one, other, strict=True))


def _names(value: ir.Value) -> Iterator[str]:
    for dim in value.shape or ():
        if isinstance(dim, ir.SymbolicDim) and dim.value:
            yield str(dim.value)


def _bodies(node: ir.Node, scope: str) -> Iterator[tuple[ir.Graph, str]]:
    """Yield the bodies of a node, each with what goes before the names in it."""
    inner = scope if node.op_type == "If" else f"{scope}{id(node)}:"
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield attribute.as_graph(), inner
        elif attribute.type == ir.AttributeType.GRAPHS:
            for body in attribute.as_graphs():
                yield body, inner


def _constant(value: ir.Value) -> Numbers | None:
    is_short = value.const_value is None or value.const_value.size <= _LONGEST
    array = constant_of(value) if is_short else None
    if array is None or array.dtype not in (np.int32, np.int64, np.bool_) or array.ndim > 1 or array.size > _LONGEST:
        return None
    return Numbers(tuple(constant(int(number)) for number in array.reshape(-1)), array.ndim == 1)


def _bounded(size: Size | None) -> Size | None:
    """Return a size that no integer type cuts: numbers beyond 32 bits are not followed."""
    if size is None or any(abs(factor) > _LARGEST for _, factor in size.terms):
        return None
    return size
