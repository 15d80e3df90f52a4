"""The few layers to keep in float where integers lose too much: found by what each loses, proved end to end.

Without any kept there are two ways to choose ranges, where activations have ranges, and the better one is taken. If it
does not pass, layers are kept in the order of their own error: twice as many each time, then as few of these as pass,
then each of them is tried without. All layers in float are no choice. What is tried is bounded in number and in time.
Not aware of graphs: a trial is made by who calls.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

Progress = Callable[..., None]
MOST_TRIALS = 40
MOST_SECONDS = 900.0


@dataclass(frozen=True)
class Trial:
    """One choice of layers, and what came of it.

    Attributes:
        kept: the layers in float.
        is_cut: whether ranges leave out tails.
        size_bytes: of the ONNX file. integer_share: of its arithmetic.
        agreement: with the float graph's decisions. at_least: what it is at least with 95 % confidence.
        decibels: how far the outputs are above what rounding adds to them.
        time_ratio: an inference's time over the float graph's, on ONNX Runtime; only told.
        passed: whether gate 4 lets it pass on the samples of the search, and some layer is of integers.
    """

    kept: tuple[str, ...]
    is_cut: bool
    size_bytes: int
    integer_share: float | None
    agreement: float
    at_least: float
    decibels: float
    time_ratio: float | None
    passed: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"kept": list(self.kept)}


Try = Callable[[Sequence[str], bool], Trial]
"""Makes the graph with these layers in float, ranges cut or not, and measures it."""


@dataclass(frozen=True)
class Outcome:
    """What was tried, in order, and which trial is taken: the smallest that passed, else the closest to it.

    Attributes:
        is_exhausted: the search ended because of its bounds.
    """

    trials: tuple[Trial, ...]
    chosen: Trial
    is_exhausted: bool = False

    @property
    def front(self) -> list[Trial]:
        """The trials that no other one beats in both size and agreement, the smallest first."""
        found: list[Trial] = []
        for trial in sorted(self.trials, key=lambda each: (each.size_bytes, *(-score for score in _quality(each)))):
            if not found or _quality(trial) > _quality(found[-1]):
                found.append(trial)
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "chosen": self.chosen.to_json(), "front": [trial.to_json() for trial in self.front],
            "trials": len(self.trials), "is_exhausted": self.is_exhausted,
        }  # fmt: skip


def search(
    attempt: Try, layers: Callable[[], Sequence[str]], progress: Progress, *, has_ranges: bool = True
) -> Outcome:
    """Return the trials and the choice.

    Args:
        layers: names them, those with the largest error of their own first; asked only if some have to be kept.
        has_ranges: activations have ranges, whose tails can be left out.
    """
    run = _Run(attempt, progress)
    first = run.trial((), False)
    if first.passed:
        return run.outcome()
    second = run.trial((), True) if has_ranges else first
    if second.passed:
        return run.outcome()
    is_cut = _quality(second) > _quality(first)
    order = list(layers())
    run.everything = frozenset(order)
    count = _enough(run, order, is_cut)
    if count is None:
        return run.outcome()
    kept = order[:count]
    for name in sorted(kept, key=order.index, reverse=True):
        fewer = [each for each in kept if each != name]
        if run.is_over:
            break
        if run.trial(fewer, is_cut).passed:
            kept = fewer
    return run.outcome()


def _enough(run: "_Run", order: Sequence[str], is_cut: bool) -> int | None:
    """Return how many of the first have to be kept so that the trial passes; None where it never does."""
    low, high = 0, 1
    while not run.trial(order[:high], is_cut).passed:
        if high >= len(order) or run.is_over:
            return None
        low, high = high, min(2 * high, len(order))
    while high - low > 1 and not run.is_over:
        middle = (low + high) // 2
        if run.trial(order[:middle], is_cut).passed:
            high = middle
        else:
            low = middle
    return high


class _Run:
    """The trials so far, each made once.

    Attributes:
        everything: all layers; a file with all of them in float is not what was asked for.
    """

    def __init__(self, attempt: Try, progress: Progress) -> None:
        self.everything: frozenset[str] | None = None
        self._attempt, self._progress = attempt, progress
        self._trials: dict[tuple[frozenset[str], bool], Trial] = {}
        self._end = time.monotonic() + MOST_SECONDS

    @property
    def is_over(self) -> bool:
        return len(self._trials) >= MOST_TRIALS or time.monotonic() > self._end

    def trial(self, kept: Sequence[str], is_cut: bool) -> Trial:
        key = frozenset(kept), is_cut
        if key not in self._trials:
            self._trials[key] = self._attempt(tuple(kept), is_cut)
            self._progress(step="search", trial=len(self._trials), kept=len(kept), passed=self._trials[key].passed)
        return self._trials[key]

    def outcome(self) -> Outcome:
        trials = tuple(
            replace(trial, passed=trial.passed and not self._is_in_float(trial)) for trial in self._trials.values()
        )
        passed = [trial for trial in trials if trial.passed]
        reduced = [trial for trial in trials if not self._is_in_float(trial)]
        chosen = min(passed, key=lambda each: each.size_bytes) if passed else max(reduced, key=_quality)
        return Outcome(trials, chosen, self.is_over)

    def _is_in_float(self, trial: Trial) -> bool:
        return self.everything is not None and bool(trial.kept) and self.everything <= set(trial.kept)


def _quality(trial: Trial) -> tuple[float, float]:
    return trial.at_least, trial.decibels
