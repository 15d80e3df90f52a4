"""The first operator that a runtime computes less exactly than it may: against the file's own graph in float64."""

import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isoform.core.cases import Array, Tensors
from isoform.hub.divergence import ancestry
from isoform.hub.divergence.figures import Figures
from isoform.hub.divergence.file import File, Observed, Step


@dataclass(frozen=True)
class Inexact:
    """The first step that is computed too inexactly.

    Attributes:
        steps: the step that gives `output`, or all from `inputs` on where the runtime computes them as one.
        ratio: R of its output in the whole file; own: of the steps alone, given the float64 inputs rounded to float32;
            inherited: of what the runtime's own inputs to them bring along.
        is_fused: it shows only where the tensors before it are not asked for.
    """

    steps: tuple[Step, ...]
    inputs: tuple[str, ...]
    output: str
    ratio: float
    allowed: float
    own: float
    inherited: float
    is_fused: bool


class Execution:
    """A file and the runtime that runs it, on some cases."""

    def __init__(self, file: File, cases: Sequence[Tensors], limit: float) -> None:
        self.file, self.cases, self.limit = file, cases, limit

    def first(self) -> Inexact | None:
        """Return the first step computed too inexactly; None where every output is as exact as it may be."""
        with self.file.run() as run:
            outputs = self._figures(self.file.outputs, run)
        if all(figures.ratio <= self.limit for figures in outputs.values()):
            return None
        names = [name for step in self.file.steps for name in step.outputs]
        with self.file.observed(names) as seen:
            figures = self._figures(names, seen)
            for step in self.file.steps:
                if any(figures[name].ratio > self.limit for name in step.inputs if name in figures):
                    continue
                beyond = [name for name in step.outputs if name in figures and figures[name].ratio > self.limit]
                if beyond:
                    return self._found([step], step.inputs, beyond[0], figures[beyond[0]], seen, is_fused=False)
        missed = next(name for name, each in outputs.items() if each.ratio > self.limit)
        return self._bisected(missed)

    def _bisected(self, output: str) -> Inexact:
        """Return the first tensor on the way to ``output`` that is too inexact if it alone is asked for.

        Asking for all tensors made the runtime compute them one by one: it had fused some.
        """
        steps, _ = ancestry.ancestors(self.file.makers, output, frozenset())
        names = [step.outputs[0] for step in steps]
        low, high = 0, len(names) - 1
        while low < high:
            middle = (low + high) // 2
            if self._alone(names[middle]).ratio > self.limit:
                high = middle
            else:
                low = middle + 1
        figures = self._alone(names[high])
        first = max(0, high - 1)
        known = frozenset(names[:first])
        fused, inputs = ancestry.ancestors(self.file.makers, names[high], known)
        return self._found(fused, tuple(inputs), names[high], figures, None, is_fused=True)

    def _alone(self, name: str) -> Figures:
        """Return the figures of one tensor in the part of the file that ends with it."""
        figures = Figures()
        with tempfile.TemporaryDirectory(prefix="isoform-explain.") as folder:
            for case in self.cases:
                found = self.file.run_part({each: case[each] for each in self._inputs_of(name)}, name, Path(folder))
                exact, single, disturbed = (each[name] for each in self._known(case, {name}))
                figures.add(exact, found, single, disturbed)
        return figures

    def _inputs_of(self, name: str) -> list[str]:
        return ancestry.ancestors(self.file.makers, name, frozenset())[1]

    def rounded(self, case: Tensors, inputs: Sequence[str]) -> dict[str, Array]:
        """Return tensors of one case in float64, rounded as the runtime would be given them."""
        found = self.file.exact.values(case, set(inputs)) | {name: np.asarray(case[name]) for name in case}
        return {
            name: found[name].astype(np.float32) if found[name].dtype == np.float64 else found[name] for name in inputs
        }

    def _found(
        self, steps: Sequence[Step], inputs: Sequence[str], output: str, whole: Figures, seen: Observed | None, *,
        is_fused: bool,
    ) -> Inexact:  # fmt: skip
        """Return the finding, with what the steps do by themselves apart from what they are given."""
        exact, single = self.file.part(inputs, output)
        own, inherited = Figures(), Figures()
        with tempfile.TemporaryDirectory(prefix="isoform-explain.") as folder:
            for case in self.cases:
                given = self.rounded(case, inputs)
                best = exact.values(given, {output})[output]
                ran = self.file.run_part(given, output, Path(folder))
                own.add(best, ran, single.values(given, {output})[output], None)
                brought = {} if seen is None else seen(case)
                actual = {name: brought.get(name, given[name]) for name in inputs}
                inherited.add(best, exact.values(actual, {output})[output], None, None)
        inherited.own = whole.allowed**2 * max(inherited.count, 1)
        return Inexact(
            tuple(steps), tuple(inputs), output, whole.ratio, own.allowed, own.ratio, inherited.ratio, is_fused
        )

    def _figures(self, names: Sequence[str], run: Observed) -> dict[str, Figures]:
        figures = {name: Figures() for name in names}
        for case, found in self._runs(run):
            wanted = {name for name in names if name in found}
            exact, single, disturbed = self._known(case, wanted)
            for name in wanted & exact.keys():
                if exact[name].shape == found[name].shape:
                    figures[name].add(exact[name], found[name], single.get(name), disturbed.get(name))
        return figures

    def _known(self, case: Tensors, names: Collection[str]) -> list[dict[str, Array]]:
        """Return tensors as they are exactly, in float32, and with weights disturbed."""
        return [each.values(case, names) for each in (self.file.exact, self.file.single, self.file.disturbed)]

    def _runs(self, run: Observed) -> Iterator[tuple[Tensors, Tensors]]:
        for case in self.cases:
            yield case, run({name: np.asarray(case[name]) for name in self.file.inputs})
