"""Leave out a Slice that takes everything.

Exporters write one for every ``x[:]``, and lose the names of sizes by it.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant

_ANY_END = 2**31 - 1


def drop_whole_slices(model: ir.Model) -> None:
    """Let what reads such a Slice read what it takes, in place."""
    for node in list(model.graph.all_nodes()):
        source = node.inputs[0] if node.op_type == "Slice" and node.domain == "" else None
        if source is None or node.outputs[0].is_graph_output() or not _is_whole(node, source):
            continue
        ir.convenience.replace_all_uses_with(node.outputs[0], source)


def _is_whole(node: ir.Node, source: ir.Value) -> bool:
    bounds = slice_bounds(node)
    if bounds is None:
        return False
    return all(
        start == 0 and step == 1 and (end >= _ANY_END or end >= _size(source, axis))
        for axis, start, end, step in bounds
    )


def _size(value: ir.Value, axis: int) -> float:
    """Return the size of an axis; infinity where it is not known."""
    if value.shape is None or not -len(value.shape) <= axis < len(value.shape):
        return np.inf
    dim = value.shape[axis]
    return dim if isinstance(dim, int) else np.inf


def slice_bounds(node: ir.Node) -> list[tuple[int, int, int, int]] | None:
    """Return axis, start, end and step of each axis that a Slice names; None where they are computed."""
    if "starts" in node.attributes:
        lists = [list(node.attributes[name].as_ints()) for name in ("starts", "ends")]
        named = list(node.attributes["axes"].as_ints()) if "axes" in node.attributes else list(range(len(lists[0])))
        return [(axis, *each, 1) for axis, *each in zip(named, *lists, strict=True)]
    given = [constant(value) for value in node.inputs[1:]]
    if len(given) < 2 or given[0] is None or given[1] is None:
        return None
    count = given[0].size
    rest: list[list[int]] = []
    for place, default in ((2, range(count)), (3, [1] * count)):
        is_there = len(node.inputs) > place + 1 and node.inputs[place + 1] is not None
        array = given[place] if is_there else np.array(default, np.int64)
        if array is None:
            return None
        rest.append([int(number) for number in array.reshape(-1)])
    starts, ends = ([int(number) for number in array.reshape(-1)] for array in given[:2] if array is not None)
    return list(zip(rest[0], starts, ends, rest[1], strict=True))
