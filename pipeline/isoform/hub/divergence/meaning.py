"""The first operator that means something else than in a reference graph, both evaluated in float64."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoform.core.cases import Array, Tensors
from isoform.core.semantics import LIMIT
from isoform.hub.divergence import ancestry, cut, lost_weights
from isoform.hub.divergence.arrangement import Arrangement, likeness
from isoform.hub.divergence.figures import Figures
from isoform.hub.divergence.lost_weights import Lost
from isoform.hub.divergence.moments import largest_first
from isoform.hub.divergence.pairs import Graphs, Pair, agreeing, partners
from isoform.hub.divergence.traced import Step, Traced
from isoform.hub.divergence.values import Evaluation

_ALIKE = 0.3
"""The likeness from which tensors that differ may still be meant to be one."""
_WINDOW = 16
"""How many operators behind the last tensors that agree are looked at for such a pair."""
_MOST_OTHERS = 8
_SAME_SIZE, _ONE_LINE = 0.1, 0.9999
"""The error, as a share of the RMS, up to which a tensor is no multiple of another; the likeness from which it is."""
_MOST_LOST = 2
"""Steps that may have lost weights where these are to tell which one differs first."""


@dataclass(frozen=True)
class Difference:
    """Where two graphs part.

    Attributes:
        steps: of the candidate, from tensors that agree to the first that does not; the last gives that one.
        counterpart: the step of the reference that gives what it should be; None where there is none.
        pair: both tensors, and how far they are apart.
        known: by tensor that the steps read: what it is in the reference, and how it lies there.
        own: R if the steps are given the reference's inputs; inherited: R of what their own inputs bring along.
        in_outputs: whether an output of the graph differs.
        others: other steps, further on, that differ by themselves.
        lost: the weight that tells; None where what is computed does.
    """

    steps: tuple[Step, ...]
    counterpart: Step | None
    pair: Pair
    known: Mapping[str, Pair | None]
    own: float
    inherited: float
    in_outputs: bool
    others: tuple[Step, ...]
    lost: Lost | None = None


class Comparison:
    """A reference and a candidate on some cases."""

    def __init__(self, reference: Traced, candidate: Traced, cases: Sequence[Tensors]) -> None:
        self.reference, self.candidate = reference, candidate
        self.cases = largest_first(cases)
        self.graphs = Graphs(reference, candidate, self.cases)
        outputs = [
            (name, name) for name in candidate.outputs
            if name in reference.outputs and self._is_comparable(name, name)
        ]  # fmt: skip
        wanted = dict.fromkeys([*self.graphs.likely(), *outputs])
        self.pairs = self.graphs.measured(list(wanted))
        self.agreed = agreeing(self.pairs, LIMIT)
        self.missed = [name for name in candidate.outputs if name not in partners(self.agreed, name)]
        self._refs_agreed = {pair.reference for pairs in self.agreed.values() for pair in pairs}

    def first(self) -> Difference | None:
        """Return where the graphs part; None where all that corresponds is the same."""
        lost, found = self._by_weights()
        if found is None:
            lasting = next((found for found in self._direct() if not self._is_undone(found[0])), None)
            found = lasting or (self._by_likeness() if self.missed else None) or next(self._direct(), None)
        if found is None:
            return None
        step, pair = found
        known = frozenset(name for step in self.candidate.steps for name in step.outputs if self._is_known(name))
        steps, inputs = ancestry.ancestors(self.candidate.makers, pair.candidate, known - {pair.candidate})
        sources = {name: self._pair_of(name) for name in inputs}
        own, inherited = self._parts(pair, sources)
        counterpart = self.reference.makers.get(pair.reference)
        others = tuple(self._others(step))
        return Difference(tuple(steps), counterpart, pair, sources, own, inherited, bool(self.missed), others, lost)

    @property
    def differing(self) -> list[str]:
        """The outputs that are not what the reference's of their name are, or nothing of it where it has none such."""
        return [
            name for name in self.missed
            if name in self.graphs.moments[1] and not self.graphs.is_size(name)
            and (name in self.reference.outputs or name not in self.agreed)
        ]  # fmt: skip

    def counterparts(self, pair: Pair) -> tuple[list[Step], list[str]]:
        """Return the steps of the reference that give a pair's tensor from such that agree, and which those are."""
        return ancestry.ancestors(
            self.reference.makers, pair.reference, frozenset(self._refs_agreed - {pair.reference})
        )

    def _by_weights(self) -> tuple[Lost | None, tuple[Step, Pair] | None]:
        """Return the weight that the candidate lacks, and the step in its place, where one step or two have such."""
        found = lost_weights.lost(self.reference, self.candidate)
        altered = [each for each in found if not each.is_there]
        if not 0 < len({each.step for each in altered}) <= _MOST_LOST:
            return None, None
        first = next((each for each in altered if each.change), altered[0])
        # What is folded into one layer is lost together: each that reads a part of it may be the one.
        together = dict.fromkeys(step for each in found if each.step is first.step for step in each.readers)
        first = replace(first, readers=tuple(together))
        pair = self._nearest(first.step, first.readers)
        return (first, (first.step, pair)) if pair is not None else (None, None)

    def _nearest(self, step: Step, readers: Sequence[Step]) -> Pair | None:
        """Return the pair of what a step gives and agrees with, else of what stands in its place or comes nearest to it
        behind ``readers``; where that is it times a number, of the first tensor behind it that agrees, or of an output.
        """
        name = step.outputs[0]
        theirs = list(following(self.reference, readers))
        same = next((pair for pair in self.agreed.get(name, ()) if pair.reference in theirs), None)
        if same is not None:
            return same
        behind = [other for other in theirs if self._is_comparable(name, other)][:_WINDOW]
        pairs = self.graphs.measured([(name, other) for other in behind])
        nearest = self._in_its_place(step, name) or min(pairs, key=lambda pair: pair.figures.ratio, default=None)
        if nearest is not None and not self._is_scaled(nearest):
            return nearest
        ours = list(following(self.candidate, [self.candidate.makers[name]]))
        agreed = (self.agreed[other][0] for other in ours if other in self.agreed)
        outputs = (pair for pair in self.pairs if pair.candidate == pair.reference in self.missed)
        return next(agreed, next((pair for pair in outputs if pair.candidate in ours), None))

    def _is_scaled(self, pair: Pair) -> bool:
        """Tell whether a tensor is nearly another times a number, as where a factor moved to another operator."""
        alike = self._alike([pair.candidate], [pair.reference])
        is_near = pair.figures.error <= _SAME_SIZE**2 * pair.figures.scale
        return not is_near and all(value >= _ONE_LINE for value in alike.values())

    def _direct(self) -> Iterator[tuple[Step, Pair]]:
        """Yield the steps whose inputs agree and whose output differs from that of the step in their place."""
        for step in self.candidate.steps:
            if all(map(self._is_known, step.inputs)):
                for name in step.outputs:
                    pair = None if self._is_known(name) else self._in_its_place(step, name)
                    if pair is not None and pair.figures.ratio > LIMIT:
                        yield step, pair

    def _is_undone(self, step: Step) -> bool:
        """Tell whether all that is computed of a step agrees again, as of a factor moved from one side to the other."""
        readers = [other for other in self.candidate.steps if not set(step.outputs).isdisjoint(other.inputs)]
        is_output = not set(step.outputs).isdisjoint(self.candidate.outputs)
        return bool(readers) and not is_output and all(
            name in self.agreed for reader in readers for name in reader.outputs
        )  # fmt: skip

    def _in_its_place(self, step: Step, name: str) -> Pair | None:
        """Return the pair with what stands in the reference where ``name`` stands.

        Two of three say so: its name, its operator, what it reads.
        """
        position = step.outputs.index(name)
        for other in self.reference.steps:
            if len(other.outputs) <= position:
                continue
            partner = other.outputs[position]
            signs = (partner == name, _same_operators(step, other), self._reads_the_same(step, other))
            if sum(signs) > 1 and self._is_comparable(name, partner):
                return self._measured(name, partner)
        return None

    def _reads_the_same(self, step: Step, other: Step) -> bool:
        there = [partners(self.agreed, name) or {name} for name in step.inputs]
        return bool(there) and len(there) == len(other.inputs) and all(
            any(name in each for each in there) for name in other.inputs
        )  # fmt: skip

    def _by_likeness(self) -> tuple[Step, Pair] | None:
        """Return the first pair, behind tensors that agree, of which each is most like the other."""
        ours = list(self._lost(self.candidate, self.missed, self._is_known))
        theirs = list(self._lost(self.reference, self.missed, self._refs_agreed.__contains__))
        alike = self._alike([name for step in ours for name in step.outputs],
                            [name for step in theirs for name in step.outputs])  # fmt: skip
        for step in ours:
            for name in step.outputs:
                row = {other: value for (one, other), value in alike.items() if one == name}
                partner = max(row, key=lambda other: row[other], default="")
                if not partner or row[partner] < _ALIKE:
                    continue
                column = {one: value for (one, other), value in alike.items() if other == partner}
                if column[name] >= max(column.values()):
                    return step, self._measured(name, partner)
        return None

    def _lost(self, traced: Traced, outputs: Collection[str], is_known: Callable[[str], bool]) -> Iterator[Step]:
        """Yield the first steps on the way from tensors that agree to outputs that do not, in order."""
        makers, found = traced.makers, dict[Step, None]()
        waiting = [name for name in outputs if name in makers]
        while waiting:
            step = makers[waiting.pop()]
            if step not in found:
                found[step] = None
                waiting += [name for name in step.inputs if name in makers and not is_known(name)]
        yield from sorted(found, key=lambda step: step.place)[:_WINDOW]

    def _alike(self, ours: Sequence[str], theirs: Sequence[str]) -> dict[tuple[str, str], float]:
        one, other = (
            self.graphs.arrays(self.cases[0], names, of_reference=side)
            for side, names in ((False, ours), (True, theirs))
        )
        return {
            (name, partner): likeness(array, known) for name, array in one.items() if array.dtype.kind == "f"
            for partner, known in other.items() if known.size == array.size > 1
        }  # fmt: skip

    def _others(self, first: Step) -> Iterator[Step]:
        """Yield steps behind the first that differ by themselves: given the reference's inputs."""
        found = 0
        for step in self.candidate.steps:
            if step.place > first.place and all(map(self._is_known, step.inputs)) and found < _MOST_OTHERS:
                pairs = [self._in_its_place(step, name) for name in step.outputs if not self._is_known(name)]
                if any(pair and pair.figures.ratio > LIMIT for pair in pairs) and not self._is_undone(step):
                    found += 1
                    yield step

    def _parts(self, pair: Pair, known: Mapping[str, Pair | None]) -> tuple[float, float]:
        """Return R of the candidate's steps on the reference's inputs, and R of what their own inputs bring along."""
        part = Evaluation(cut.between(self.candidate, list(known), pair.candidate), is_float64=True)
        own, inherited = Figures(), Figures()
        for case in self.cases:
            given, exact = self.given(case, pair, known)
            alone = part.values(given, {pair.candidate})[pair.candidate]
            whole = self.graphs.arrays(case, [pair.candidate], of_reference=False)[pair.candidate]
            own.add(exact, lying(pair.arrangement, alone, exact.shape), None, None)
            inherited.add(alone, whole, None, None)
        allowed = pair.figures.allowed
        return _share(own, allowed), _share(inherited, allowed)

    def given(self, case: Tensors, pair: Pair, known: Mapping[str, Pair | None]) -> tuple[dict[str, Array], Array]:
        """Return what the steps would read if all before them were the reference, and what should come out of them."""
        own = self.graphs.arrays(case, [*known, pair.candidate], of_reference=False) | {
            name: np.asarray(array) for name, array in case.items()
        }
        wanted = [each.reference for each in known.values() if each is not None]
        exact = self.graphs.arrays(case, [*wanted, pair.reference], of_reference=True)
        given = {
            name: own[name] if each is None or each.reference not in exact
            else lying(each.arrangement.inverse, exact[each.reference], own[name].shape).astype(own[name].dtype)
            for name, each in known.items()
        }  # fmt: skip
        return given, exact[pair.reference]

    def _measured(self, name: str, partner: str) -> Pair:
        return self.graphs.measured([(name, partner)])[0]

    def _pair_of(self, name: str) -> Pair | None:
        """Return which tensor of the reference a known one is; None for an input, and for sizes."""
        return next(iter(self.agreed.get(name, ())), None)

    def _is_known(self, name: str) -> bool:
        """Tell whether a tensor agrees, is an input, or is not asked."""
        if name in self.agreed or name in self.candidate.inputs:
            return True
        return name not in self.graphs.moments[1] or self.graphs.is_size(name)

    def _is_comparable(self, name: str, partner: str) -> bool:
        ours, theirs = self.graphs.moments[1].get(name), self.graphs.moments[0].get(partner)
        return ours is not None and theirs is not None and np.array_equal(ours[:, 0], theirs[:, 0])


def lying(arrangement: Arrangement, array: Array, shape: tuple[int, ...]) -> Array:
    """Return ``array`` in another graph's arrangement; only reshaped where that was found for other sizes."""
    try:
        return arrangement(array, shape)
    except ValueError:
        return array.reshape(shape)


def following(traced: Traced, begin: Sequence[Step]) -> Iterator[str]:
    """Yield the tensors that some steps give, and all that is computed of them, in order."""
    computed: set[str] = set()
    for step in traced.steps:
        if step in begin or not computed.isdisjoint(step.inputs):
            computed.update(step.outputs)
            yield from step.outputs


def _same_operators(one: Step, other: Step) -> bool:
    return [node.op_type for node in one.nodes] == [node.op_type for node in other.nodes]


def _share(figures: Figures, allowed: float) -> float:
    error = math.sqrt(figures.error / figures.count) if figures.count else 0.0
    return 0.0 if error == 0 else error / allowed if allowed else math.inf
