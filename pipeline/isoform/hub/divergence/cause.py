"""What may be wrong with steps that differ: their weights, their attributes, or a usual fault that explains it.

A cause is only said where it is seen (in the tensors or attributes of both graphs) or where planting it in the
reference gives the candidate's numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import onnx_ir as ir

from isoform.core.cases import Array
from isoform.hub import graph
from isoform.hub.divergence import cut
from isoform.hub.divergence.arrangement import best
from isoform.hub.divergence.changed_weights import told
from isoform.hub.divergence.figures import Figures
from isoform.hub.divergence.meaning import Comparison, Difference, lying
from isoform.hub.divergence.traced import Step
from isoform.hub.divergence.values import DoesNotRun, Evaluation
from isoform.hub.faults.graph import FAULTS
from isoform.hub.passes.fold_weights import constant

_DEFAULTS = {"epsilon": 1e-5, "approximate": "none", "alpha": None, "pads": None, "auto_pad": "NOTSET", "group": 1}
_OF_TRAINING = ("momentum", "training_mode")
_TRIED = (
    "another epsilon", "the other gelu", "padding off by one", "a leaking relu", "a softmax over another axis",
    "height and width swapped", "a dropped bias",
)  # fmt: skip
_SEEDS = range(3)
_EXPLAINED = 0.05
"""What may be left of an error that a planted fault explains, as a share."""


def suspected(comparison: Comparison, difference: Difference) -> str:
    """Return what explains the difference, or "" where nothing does."""
    theirs, inputs = comparison.counterparts(difference.pair)
    return (
        _lost(difference)
        or _other_order(comparison, difference)
        or _weights(theirs, difference.steps)
        or _attributes(theirs, difference.steps)
        or _planted(comparison, difference, inputs)
    )


def _lost(difference: Difference) -> str:
    lost = difference.lost
    if lost is None:
        return ""
    named = f"the weight '{lost.holder}' is not '{lost.parameter}' of the reference"
    return f"{named}: {lost.change}" if lost.change else named


def _other_order(comparison: Comparison, difference: Difference) -> str:
    pair = difference.pair
    one, other = (
        comparison.graphs.arrays(comparison.cases[0], [name], of_reference=side)[name]
        for side, name in ((False, pair.candidate), (True, pair.reference))
    )
    is_same = one.size > 1 and np.allclose(np.sort(one.ravel()), np.sort(other.ravel()), rtol=1e-6, atol=0)
    if is_same:
        return f"a layout swap: the same numbers in another order, {list(one.shape)} for {list(other.shape)}"
    odd = [name for name, each in difference.known.items() if each is not None and not each.arrangement.is_usual]
    return f"a layout swap before it: '{odd[0]}' has axes in another order" if odd else ""


def _weights(theirs: Sequence[Step], ours: Sequence[Step]) -> str:
    before, after = dict(_constants(theirs)), dict(_constants(ours))
    gone = {name: array for name, array in before.items() if not any(_is_same(array, each) for each in after.values())}
    new = {name: array for name, array in after.items() if not any(_is_same(array, each) for each in before.values())}
    for name, array in gone.items():
        for other, changed in sorted(new.items(), key=lambda item: item[0] != name):
            what = told(array, changed)
            if what:
                return f"the weight '{other}' is not '{name}' of the reference: {what}"
    return ""


def _constants(steps: Sequence[Step]) -> Iterator[tuple[str, Array]]:
    for step in steps:
        for node in step.nodes:
            for value in node.inputs:
                array = constant(value)
                if value is not None and array is not None and array.dtype.kind == "f" and array.size > 1:
                    yield str(value.name), array


def _is_same(one: Array, other: Array) -> bool:
    return (
        one.size == other.size
        and np.array_equal(np.sort(one, axis=None), np.sort(other, axis=None))
        and not told(one, other)
    )


def _attributes(theirs: Sequence[Step], ours: Sequence[Step]) -> str:
    """Compare the one operator on each side, or those of one type on both."""
    before = {node.op_type: node for step in theirs for node in step.nodes}
    after = {node.op_type: node for step in ours for node in step.nodes}
    for op_type in before.keys() & after.keys():
        found = list(_differing(before[op_type], after[op_type]))
        if found:
            return "; ".join(found)
    if len(theirs) == len(ours) == 1 and before.keys().isdisjoint(after.keys()):
        return f"{ours[0].op_type} in the place of {theirs[0].op_type}"
    return ""


def _differing(before: ir.Node, after: ir.Node) -> Iterator[str]:
    for name in sorted({*before.attributes, *after.attributes} - set(_OF_TRAINING)):
        one, other = (_attribute(node, name) for node in (before, after))
        if one != other and (one is not None or other is not None):
            yield f"{name} is {_shown(other)} and {_shown(one)} in the reference"


def _attribute(node: ir.Node, name: str) -> object:
    if name not in node.attributes:
        return _DEFAULTS.get(name)
    value = node.attributes[name].value
    return list(value) if isinstance(value, tuple) else value


def _shown(value: object) -> str:
    return "unset" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _planted(comparison: Comparison, difference: Difference, inputs: Sequence[str]) -> str:
    """Return the usual fault that, planted in the reference's own part, gives what the candidate gives."""
    pair = difference.pair
    case = comparison.cases[0]
    known = comparison.graphs.arrays(case, [*inputs, pair.reference], of_reference=True) | dict(case)
    one = comparison.graphs.arrays(case, [pair.candidate], of_reference=False)[pair.candidate]
    exact = known[pair.reference]
    found = lying(pair.arrangement, one, exact.shape)
    error = _error(exact, found)
    for name, seed in product(_TRIED, _SEEDS):
        part = cut.between(comparison.reference, inputs, pair.reference)
        for value in part.graph.inputs:
            array = known[str(value.name)]
            kind = ir.DataType.FLOAT if array.dtype.kind == "f" else ir.DataType.from_numpy(array.dtype)
            value.shape, value.type = ir.Shape(array.shape), ir.TensorType(kind)
        graph.infer_shapes(part)  # a fault of an axis has to know how many there are
        where = FAULTS[name](part, np.random.default_rng(seed))
        if where is not None:
            planted = _answer(part, {each: known[each] for each in inputs}, pair.reference)
            if planted is None or planted.size != found.size:
                continue
            if _error(planted, best(one, planted)[0](one, planted.shape)) <= _EXPLAINED * error:
                return f"{name}: planted in the reference, at {where}, it gives these numbers"
    return ""


def _answer(part: ir.Model, given: Mapping[str, Array], output: str) -> Array | None:
    try:
        return Evaluation(part, is_float64=True).values(given, {output}).get(output)
    except DoesNotRun:  # the fault leads to shapes that do not fit: it is not this one
        return None


def _error(exact: Array, found: Array) -> float:
    figures = Figures()
    figures.add(exact, found, None, None)
    return figures.error
