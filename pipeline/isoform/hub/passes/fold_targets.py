"""Fold the target of a Reshape that is computed from sizes: at most one of them unknown is -1, and that is exact.

Sizes are followed through what frameworks compute them with. Not aware of sub-graphs.
"""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer

Size = int | None
"""A number, or None for one that is known only when the model runs."""
_LONGEST = 64


def fold_targets(model: ir.Model) -> bool:
    """Fold targets in place and return whether there were any; shapes have to be inferred before."""
    known: dict[ir.Value, list[Size] | None] = {}
    found = False
    for node in list(model.graph):
        if node.op_type != "Reshape" or node.domain != "" or constant(node.inputs[1]) is not None:
            continue
        sizes = _sizes(node.inputs[1], known)
        if sizes is None or sizes.count(None) > 1 or any(size is not None and size <= 0 for size in sizes):
            continue
        target = np.array([-1 if size is None else size for size in sizes], np.int64)
        node.replace_input_with(1, initializer(model.graph, f"{node.outputs[0].name}/target", target))
        found = True
    return found


def _sizes(value: ir.Value | None, known: dict[ir.Value, list[Size] | None]) -> list[Size] | None:
    """Return the entries of a list of integers, or of a scalar as one entry; None where nothing is known."""
    if value is None:
        return None
    if value not in known:
        known[value] = None  # for what is not followed further
        array, node = constant(value), value.producer()
        if array is not None:
            is_small = array.dtype.kind in "iu" and array.ndim <= 1 and array.size <= _LONGEST
            known[value] = [int(number) for number in array.reshape(-1)] if is_small else None
        elif node is not None and node.domain == "" and node.op_type in _RULES and _is_list(value):
            known[value] = _RULES[node.op_type](node, lambda index: _sizes(node.inputs[index], known))
    return known[value]


def _is_list(value: ir.Value) -> bool:
    return value.shape is not None and len(value.shape) <= 1


Ask = Callable[[int], list[Size] | None]


def _shape(node: ir.Node, ask: Ask) -> list[Size] | None:
    value = node.inputs[0]
    if value is None or value.shape is None:
        return None
    rank = len(value.shape)
    start, end = (_int(node, name, default) for name, default in (("start", 0), ("end", rank)))
    return [dim if isinstance(dim, int) else None for dim in value.shape][start:end]


def _same(node: ir.Node, ask: Ask) -> list[Size] | None:
    return ask(0)


def _concat(node: ir.Node, ask: Ask) -> list[Size] | None:
    joined: list[Size] = []
    for index in range(len(node.inputs)):
        part = ask(index)
        if part is None:
            return None
        joined += part
    return joined


def _gather(node: ir.Node, ask: Ask) -> list[Size] | None:
    data, places = ask(0), constant(node.inputs[1])
    if data is None or places is None or places.ndim > 1 or _int(node, "axis", 0) != 0:
        return None
    return [data[int(place)] for place in places.reshape(-1)]


def _slice(node: ir.Node, ask: Ask) -> list[Size] | None:
    data, (start, end) = ask(0), (constant(value) for value in node.inputs[1:3])
    step = constant(node.inputs[4]) if len(node.inputs) > 4 else np.array([1])
    if data is None or start is None or end is None or step is None or start.size != 1:
        return None
    return data[int(start.item()) : int(end.item()) : int(step.item())]


def _product(node: ir.Node, ask: Ask) -> list[Size] | None:
    data, axes = ask(0), constant(node.inputs[1]) if len(node.inputs) > 1 else None
    is_whole = axes is not None and axes.size == 1
    return [_together(data, prod)] if data is not None and is_whole else None


def _elementwise(function: Callable[[Sequence[int]], int]) -> Callable[[ir.Node, Ask], list[Size] | None]:
    def evaluate(node: ir.Node, ask: Ask) -> list[Size] | None:
        left, right = ask(0), ask(1)
        if left is None or right is None or (len(left) != len(right) and 1 not in (len(left), len(right))):
            return None
        count = max(len(left), len(right))
        wide = [side if len(side) == count else side * count for side in (left, right)]
        return [_together(pair, function) for pair in zip(*wide, strict=True)]

    return evaluate


def _together(sizes: Sequence[Size], function: Callable[[Sequence[int]], int]) -> Size:
    numbers = [size for size in sizes if size is not None]
    return function(numbers) if len(numbers) == len(sizes) else None


def _int(node: ir.Node, name: str, default: int) -> int:
    return int(node.attributes[name].as_int()) if name in node.attributes else default


_RULES: dict[str, Callable[[ir.Node, Ask], list[Size] | None]] = {
    "Add": _elementwise(sum),
    "Cast": _same,
    "Concat": _concat,
    "Gather": _gather,
    "Identity": _same,
    "Mul": _elementwise(prod),
    "ReduceProd": _product,
    "Shape": _shape,
    "Slice": _slice,
    "Squeeze": _same,
    "Sub": _elementwise(lambda pair: pair[0] - pair[1]),
    "Unsqueeze": _same,
}
