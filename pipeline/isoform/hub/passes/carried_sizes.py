"""The sizes of what a Loop carries, proved by induction: what holds before the first round, and after any round before
which it holds, holds always.

Only numbers and dimensions of the model's inputs are followed; of the rest a body keeps what it declares.
"""

from collections.abc import Sequence

import onnx_ir as ir

from isoform.hub import graph as hub_graph
from isoform.hub.passes.fold_sizes import state_shapes
from isoform.hub.passes.symbolic.analysis import Analysis
from isoform.hub.passes.symbolic.call import Shape

_Axis = tuple[ir.Value, int]
_Dims = tuple[int | str | None, ...]


def prove_carried_sizes(model: ir.Model, loops: Sequence[ir.Node]) -> None:
    """Give the carried inputs of the bodies of ``loops`` the sizes that they begin with and keep, in place.

    All are assumed first; one that does not follow from all others for the next round is given up, and what is left is
    looked at anew.
    """
    carried = [each for node in loops for each in _carried(node)]
    declared = _declared(model)
    refuted: set[_Axis] = set()
    assumed: dict[ir.Value, _Dims | None] = {}
    known = state_shapes(model)
    while True:
        wanted = {
            inner: _wanted(inner, known.shape(outer), declared[inner], refuted, known) for inner, outer, _ in carried
        }
        if wanted != assumed:
            assumed = wanted
            known = _inferred(model, declared | assumed)
            continue
        wrong = {
            axis for inner, _, after in carried for axis in _not_kept(inner, known.shape(inner), known.shape(after))
        }
        if wrong <= refuted:
            return
        refuted |= wrong


def _carried(node: ir.Node) -> list[tuple[ir.Value, ir.Value | None, ir.Value]]:
    """Return what a Loop carries: in its body, before the first round, and after one."""
    body = node.attributes["body"].as_graph()
    count = len(node.inputs) - 2
    return list(zip(body.inputs[2:], node.inputs[2:], body.outputs[1 : 1 + count], strict=True))


def _declared(model: ir.Model) -> dict[ir.Value, _Dims | None]:
    """Return the sizes of what goes into and comes out of all bodies; a name means nothing there."""
    graphs = [graph for graph in model.graphs() if graph is not model.graph]
    values = [value for graph in graphs for value in (*graph.inputs, *graph.outputs)]
    return {
        value: None if value.shape is None else tuple(dim if isinstance(dim, int) else None for dim in value.shape)
        for value in values
    }


def _wanted(
    inner: ir.Value, begin: Shape | None, declared: _Dims | None, refuted: set[_Axis], known: Analysis
) -> _Dims | None:
    """Return the sizes to assume of a carried value: those that it begins with, where that is not refuted."""
    if begin is None or (declared is not None and len(declared) != len(begin)):
        return declared
    found: list[int | str | None] = []
    for axis, size in enumerate(begin):
        name = size.name if size.name in known.given else None
        is_followed = (inner, axis) not in refuted and (size.number is not None or name is not None)
        found.append((name or size.number) if is_followed else declared[axis] if declared is not None else None)
    return tuple(found)


def _inferred(model: ir.Model, stated: dict[ir.Value, _Dims | None]) -> Analysis:
    """Infer all shapes anew from what is ``stated`` of bodies."""
    hub_graph.forget_shapes(model)
    for value, dims in stated.items():
        value.shape = None if dims is None else ir.Shape(dims)
    hub_graph.infer_shapes(model)
    state_shapes(model)
    hub_graph.infer_shapes(model)
    return state_shapes(model)


def _not_kept(inner: ir.Value, before: Shape | None, after: Shape | None) -> list[_Axis]:
    """Return the axes whose assumed size is not that after the round."""
    if before is None:
        return []
    is_comparable = after is not None and len(after) == len(before)
    return [
        (inner, axis) for axis, size in enumerate(before) if not is_comparable or after is None or after[axis] != size
    ]
