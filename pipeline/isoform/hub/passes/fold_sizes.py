"""Symbolic shape inference put to use: what a graph computes of sizes that are known before it runs is left out.

What is provably a number is folded; a Reshape by sizes of its own input says 0 there, or -1 for a single one that is
left; an Expand to the shape that is there and a Reshape to it vanish; one size is computed once.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.symbolic.analysis import Analysis
from isoform.hub.passes.symbolic.call import Entries, Numbers, Shape
from isoform.hub.passes.symbolic.size import Size

_Seen = dict[tuple[Numbers, ir.DataType | None], ir.Value]


def fold_sizes(model: ir.Model) -> bool:
    """Rewrite ``model`` in place, bodies too, and tell whether anything changed; shapes have to be inferred before."""
    return _Folding(state_shapes(model)).visit(model.graph, {})


def state_shapes(model: ir.Model) -> Analysis:
    """Note what ONNX' inference does not know: ranks, and sizes that are numbers or dimensions of the inputs."""
    analysis = Analysis(model)
    declared = set(model.graph.outputs)
    for value, sizes in analysis.shapes.items():
        if value.is_initializer() or value.is_graph_input() or value in declared:
            continue
        old = value.shape if value.shape is not None else [ir.SymbolicDim(None)] * len(sizes)
        new = [_stated(dim, size, analysis) for dim, size in zip(old, sizes, strict=True)]
        if value.shape is None or list(value.shape) != new:
            value.shape = ir.Shape(new)
    return analysis


def _stated(dim: int | ir.SymbolicDim, size: Size, analysis: Analysis) -> int | ir.SymbolicDim:
    if size.number is not None and size.number >= 0:
        return size.number
    return ir.SymbolicDim(size.name) if size.name is not None and size.name in analysis.given else dim


class _Folding:
    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._is_changed = False

    def visit(self, graph: ir.Graph, around: _Seen) -> bool:
        """Fold in ``graph``, where the numbers in ``around`` are computed already."""
        seen = dict(around)
        for node in list(graph):
            for attribute in node.attributes.values():
                if attribute.type == ir.AttributeType.GRAPH:
                    self.visit(attribute.as_graph(), seen)
            if node.domain not in ("", "ai.onnx") or any(value.is_graph_output() for value in node.outputs):
                self._retarget(node)
                continue
            numbers = self._analysis.numbers.get(node.outputs[0])
            if numbers is not None and None not in numbers.entries:
                self._fold(graph, node, numbers, seen)
            elif not self._drop(node):
                self._retarget(node)
        return self._is_changed

    def _fold(self, graph: ir.Graph, node: ir.Node, numbers: Numbers, seen: _Seen) -> None:
        """Replace a list of sizes by a constant, or by an equal one that is there."""
        value = node.outputs[0]
        known = [size.number for size in numbers.entries if size is not None and size.number is not None]
        if len(known) == len(numbers.entries) and value.dtype is not None:
            array = np.array(known, value.dtype.numpy())
            name, value.name = value.name, f"{value.name}/unfolded"
            other = initializer(graph, str(name), array if numbers.is_list else array.reshape(()))
        else:
            other = seen.setdefault((numbers, value.dtype), value)
        if other is not value:
            ir.convenience.replace_all_uses_with(value, other)
            graph.remove(node, safe=True)
            self._is_changed = True

    def _drop(self, node: ir.Node) -> bool:
        """Let what reads a node that gives its first input read that."""
        if node.op_type not in ("Expand", "Reshape", "Slice", "Tile") or node.graph is None:
            return False
        source, result = node.inputs[0], node.outputs[0]
        before, after = self._analysis.shape(source), self._analysis.shape(result)
        if source is None or before is None or before != after or source.dtype != result.dtype:
            return False
        if node.op_type == "Slice" and not _steps_forward(node):
            return False
        ir.convenience.replace_all_uses_with(result, source)
        node.graph.remove(node, safe=True)
        self._is_changed = True
        return True

    def _retarget(self, node: ir.Node) -> None:
        """Give a Reshape by computed sizes a constant target."""
        is_open = node.op_type == "Reshape" and len(node.inputs) > 1 and node.domain in ("", "ai.onnx")
        if not is_open or constant(node.inputs[1]) is not None or not isinstance(node.graph, ir.Graph):
            return
        shape, wanted = self._analysis.shape(node.inputs[0]), self._analysis.content(node.inputs[1])
        result = self._analysis.shape(node.outputs[0])
        entries = _known(wanted, result)
        target = None if entries is None else _target(entries, shape, self._analysis.given)
        if target is None:
            return
        name = f"{node.outputs[0].name}/target"
        node.replace_input_with(1, initializer(node.graph, name, np.array(target, np.int64)))
        node.attributes.pop("allowzero", None)  # a 0 that the target says now is a size to copy
        self._is_changed = True


def _known(wanted: Numbers | None, result: Shape | None) -> Entries | None:
    """Return the entries of a target; a size that only ONNX' inference knows of the result will do."""
    if wanted is None:
        return result
    if result is None or len(result) != len(wanted.entries):
        return wanted.entries
    return tuple(size if entry is None else entry for entry, size in zip(wanted.entries, result, strict=True))


def _steps_forward(node: ir.Node) -> bool:
    """Return whether a Slice that leaves all sizes as they are leaves the order, too."""
    if len(node.inputs) < 5 or node.inputs[4] is None:
        return True
    steps = constant(node.inputs[4])
    return steps is not None and bool((steps > 0).all())


def _target(entries: Entries, shape: Shape | None, given: set[str]) -> Sequence[int] | None:
    """Return what a Reshape by ``entries`` can say before it runs; None where that is not enough.

    A single size that is left over is -1. Beside a copied size that is sound only where the copy is not zero at run
    time: data may leave nothing of its own axes, so that only a dimension that a caller gives may be copied there.
    """
    numbers = [None if size is None else size.number for size in entries]
    if any(number == 0 for number in numbers) or numbers.count(-1) > 1:
        return None
    open_ = [axis for axis, number in enumerate(numbers) if number is None]
    if len(open_) == 1 and -1 not in numbers:
        return [-1 if number is None else number for number in numbers]
    copied = [axis for axis in open_ if shape is not None and axis < len(shape) and shape[axis] == entries[axis]]
    left = [axis for axis in open_ if axis not in copied]
    if len(left) + numbers.count(-1) > 1:
        return None
    names = {name for axis in copied for name in _names(entries[axis])}
    if left and not names <= given:
        return None
    return [0 if axis in copied else -1 if number is None else number for axis, number in enumerate(numbers)]


def _names(size: Size | None) -> set[str]:
    return set() if size is None else size.atoms()
