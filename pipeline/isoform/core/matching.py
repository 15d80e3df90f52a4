"""Gate 1: is every parameter of the source in the export, bit for bit, or explained by a known rewriting?

Explanations, the first that holds: ``exact`` (up to transpose and reshape), ``gates`` (the blocks of a recurrent
layer in another order, split or joined), ``pieces`` (split along an axis), ``joined`` (rows of a larger tensor),
``gathered`` (the rows of a table at fixed indices), ``elementwise`` (negated, inverted, or its root), ``zero`` and
``one`` (a bias of zeros, a scale of ones, left out), ``unused`` (no output of the source depends on it), ``rows`` (of a
table, all that an output depends on). Where a graph on the way holds it in such a form, ``computed``: all that follows
there from it and from constants, or from folding it into a layer, is in the export within 4 units in the last place.
What none explains is listed; nothing is ever close enough.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.computed import Uses, standing_for
from isoform.core.elementwise import elementwise_parameters
from isoform.core.fingerprint import Index, digest, fingerprint
from isoform.core.gathered import gathered_parameters
from isoform.core.joined import joined_parameters
from isoform.core.pieces import split_parameters
from isoform.core.recurrent_gates import GateIndex

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]

UNEXPLAINED = "unexplained"
SMALLEST_PARAMETER = 16
"""Elements up to which a tensor that only the export has is taken for a constant of the graph, not for a weight."""


@dataclass(frozen=True)
class Explanation:
    """Where a source parameter went.

    Attributes:
        how: exact, gates, pieces, joined, gathered, elementwise, zero, one, unused, rows, computed or unexplained; two
            of them in two steps.
        tensors: names in the export.
        fingerprint: of the parameter's elements, in whatever order (core/fingerprint.py), in hexadecimal.
    """

    parameter: str
    shape: tuple[int, ...]
    how: str
    tensors: tuple[str, ...] = ()
    fingerprint: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "parameter": self.parameter,
            "shape": list(self.shape),
            "how": self.how,
            "tensors": list(self.tensors),
            "fingerprint": self.fingerprint,
        }


def match(source: Weights, export: Weights, unused: Collection[str] = ()) -> list[Explanation]:
    """Return an explanation for every parameter of ``source``, in floating point or eight bits, in its order.

    Args:
        unused: parameters that no output of the source depends on.
    """
    wanted, there = _parameters(source), _parameters(export)
    index = Index(there)
    gates = GateIndex(wanted, index)
    keys = {name: fingerprint(array) for name, array in wanted.items()}
    found = {name: ("exact", index.arrangements(array)) for name, array in wanted.items()}
    for name, array in wanted.items():
        found[name] = found[name] if found[name][1] else ("gates", gates.holders(array))
    missing = {name: array for name, array in wanted.items() if not found[name][1]}
    for how, look_for in (
        ("pieces", split_parameters),
        ("joined", joined_parameters),
        ("gathered", gathered_parameters),
        ("elementwise", elementwise_parameters),
    ):
        parts = look_for(missing, there)
        found |= {name: (how, tensors) for name, tensors in parts.items()}
        missing = {name: array for name, array in missing.items() if name not in parts}
    for name in missing:
        found[name] = ("unused" if name in unused else UNEXPLAINED, ())
    _leave_out_neutral(wanted, there, found)
    return [
        Explanation(name, array.shape, *found[name], fingerprint=f"{keys[name]:016x}")
        for name, array in wanted.items()
    ]  # fmt: skip


def match_rows(
    explanations: Iterable[Explanation], source: Weights, export: Weights, rows: Mapping[str, Sequence[int]]
) -> list[Explanation]:
    """Return ``explanations`` with those tables that have none and of which the export holds what is read.

    Args:
        rows: by table, the rows that any output depends on, all axes but the last in one.
    """
    entries = list(explanations)
    names = [entry.parameter for entry in entries if entry.how == UNEXPLAINED and entry.parameter in rows]
    if not names:
        return entries
    read = {name: source[name].reshape(-1, source[name].shape[-1])[rows[name]] for name in names}
    found = {entry.parameter: entry.tensors for entry in match(read, export) if entry.how == "exact"}
    return [
        replace(entry, how="rows", tensors=found[entry.parameter]) if entry.parameter in found else entry
        for entry in entries
    ]  # fmt: skip


def match_through(
    explanations: Iterable[Explanation],
    source: Weights,
    export: Weights,
    between: Weights,
    uses: Callable[[Iterable[str]], Mapping[str, Uses]],
) -> list[Explanation]:
    """Return ``explanations`` with what a graph on the way to the export says of those parameters that have none.

    Args:
        between: the tensors of that graph; a parameter is explained where they explain it and the export explains them.
        uses: returns what may stand for tensors of that graph wherever they are read (isoform/hub/derived.py).
    """
    entries = list(explanations)
    missing = {entry.parameter: source[entry.parameter] for entry in entries if entry.how == UNEXPLAINED}
    held = [entry for entry in match(missing, between) if entry.tensors]
    wanted = {tensor: between[tensor] for entry in held for tensor in entry.tensors}
    onward = {entry.parameter: (entry.how, entry.tensors) for entry in match(wanted, export) if entry.tensors}
    standing = standing_for(uses(wanted.keys() - onward.keys()), export)
    onward |= {tensor: ("computed", tensors) for tensor, tensors in standing.items()}
    found = {entry.parameter: entry for entry in held if all(tensor in onward for tensor in entry.tensors)}
    return [_further(found[entry.parameter], onward) if entry.parameter in found else entry for entry in entries]


def _further(entry: Explanation, onward: Mapping[str, tuple[str, tuple[str, ...]]]) -> Explanation:
    """Return ``entry``, which names tensors of a graph on the way, with where those went."""
    hows, tensors = zip(*(onward[tensor] for tensor in entry.tensors), strict=True)
    steps = dict.fromkeys(how for how in (entry.how, *hows) if how != "exact")
    return replace(entry, how=", ".join(steps), tensors=tuple(dict.fromkeys(sum(tensors, ()))))


def strangers(explanations: Iterable[Explanation], export: Weights) -> list[str]:
    """Return the tensors of the export, large enough to be weights, that hold no parameter of the source."""
    used = {tensor for explanation in explanations for tensor in explanation.tensors}
    return [name for name, array in _parameters(export).items() if array.size > SMALLEST_PARAMETER and name not in used]


def ledger(explanations: Iterable[Explanation], export: Weights) -> dict[str, Any]:
    """Return what another machine needs to check the same tensors again without the source."""
    entries = list(explanations)
    used = {tensor for explanation in entries for tensor in explanation.tensors}
    return {
        "parameters": [explanation.to_json() for explanation in entries],
        "tensors": {name: digest(export[name]) for name in sorted(used)},
    }


def against_ledger(recorded: Mapping[str, Any], export: Weights) -> list[str]:
    """Return the recorded tensors that are gone or altered, and what was unexplained from the beginning."""
    return [
        *(lost(entry) for entry in recorded["parameters"] if entry["how"] == UNEXPLAINED),
        *(
            f"the tensor '{name}' is {'altered' if name in export else 'gone'} since the export was verified"
            for name, expected in recorded["tensors"].items()
            if name not in export or digest(export[name]) != expected
        ),
    ]


def lost(entry: Mapping[str, Any]) -> str:
    """Return the finding for an unexplained parameter, given as JSON."""
    return f"'{entry['parameter']}' {entry['shape']} is not in the export, nor explained by a known rewriting"


def _parameters(tensors: Weights) -> dict[str, Array]:
    """Return the floating-point tensors and the weights of eight bits, in the form in which they compare."""
    return {name: _as_computed(array) for name, array in tensors.items() if array.size and _is_parameter(array)}


def _is_parameter(array: Array) -> bool:
    """Tell weights from constants: a vector of eight-bit integers is a list of zero points, not a layer's weight."""
    return array.dtype.kind == "f" or (array.dtype.itemsize == 1 and array.dtype.kind in "iu" and array.ndim > 1)


def _as_computed(array: Array) -> Array:
    """Return half precision widened, and unsigned integers with a sign, their zero points likewise: both are exact."""
    if array.dtype == np.float16:
        return array.astype(np.float32)
    return array.view(np.int8) ^ np.int8(-128) if array.dtype == np.uint8 else array


def _leave_out_neutral(source: Weights, export: Weights, found: dict[str, tuple[str, tuple[str, ...]]]) -> None:
    """Explain biases of zeros and scales of ones, as fresh layers have them, that converters drop.

    Not where a tensor of that size is left that could be the parameter.
    """
    used = {tensor for _, tensors in found.values() for tensor in tensors}
    left = {array.size for name, array in export.items() if name not in used}
    for name, array in source.items():
        if found[name][0] == UNEXPLAINED and array.ndim == 1 and array.size not in left:
            if not np.any(array):
                found[name] = ("zero", ())
            elif np.all(array == 1):
                found[name] = ("one", ())
