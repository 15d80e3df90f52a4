"""Ranked routes from one format to another, over the converters of the registry.

Pure: it reads the table and installs nothing, imports nothing, runs nothing.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from isoform.core import format as formats
from isoform.errors import NoRoute, UsageError
from isoform.registry import CONVERTERS, Converter, converter, missing, require


@dataclass(frozen=True)
class Route:
    """A chain of converters; each one's target is the next one's source.

    Attributes:
        begin: the format that it starts from, where there is no step: a file that stays what it is.
    """

    steps: tuple[Converter, ...]
    begin: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(step.name for step in self.steps)

    @property
    def cost(self) -> int:
        return sum(step.cost for step in self.steps)

    @property
    def missing(self) -> tuple[str, ...]:
        """The commands that install what its converters lack here; empty where it can run."""
        return missing(*self.steps)

    def passes(self, format_name: str) -> bool:
        """Tell whether the route starts from, leads through or ends in a format."""
        return self.begin == format_name or any(format_name in (step.source, step.target) for step in self.steps)

    def require(self) -> None:
        """Raise MissingDependency if a package that one of the converters needs is not installed."""
        for step in self.steps:
            require(step)

    def __str__(self) -> str:
        ends = (f"{step.target} ({step.way})" if step.way else step.target for step in self.steps)
        return " -> ".join([self.steps[0].source if self.steps else self.begin, *ends])


def ranked(source: str, target: str, *, via: str | None = None, avoid: Collection[str] = ()) -> tuple[Route, ...]:
    """Return every route without a cycle, cheapest first.

    Args:
        via: a format that the route has to pass.
        avoid: converters that it must not use.

    Raises:
        UsageError: an unknown format or converter, or the source is of the target's format.
        NoRoute: no chain connects the two under these conditions.
    """
    for name in (source, target, *([via] if via else [])):
        formats.lookup(name)
    for name in avoid:
        converter(name)
    if source == target:
        raise UsageError(
            f"The source is {source} already.", "Choose another target; isoform verify proves a file as it is."
        )
    found = [Route(steps) for steps in _chains(source, target, frozenset({source})) if not _excluded(steps, via, avoid)]
    if not found:
        conditions = (f" via {via}" if via else "") + (f" avoiding {', '.join(sorted(avoid))}" if avoid else "")
        raise NoRoute(
            f"No converter leads from {source} to {target}{conditions}.",
            f"See what there is: isoform routes {source} {target}",
        )
    return tuple(sorted(found, key=lambda route: (route.cost, route.names)))


def targets(source: str) -> tuple[str, ...]:
    """Return every format that a chain leads to from ``source``, those first that nothing has to be installed for."""
    found = [name for name in formats.FORMATS if name != source and any(_chains(source, name, frozenset({source})))]
    return tuple(sorted(found, key=lambda name: all(route.missing for route in ranked(source, name))))


def _chains(source: str, target: str, seen: frozenset[str]) -> Iterator[tuple[Converter, ...]]:
    for step in CONVERTERS.values():
        if step.source != source or step.target in seen:
            continue
        if step.target == target:
            yield (step,)
        elif not step.is_last:
            for rest in _chains(step.target, target, seen | {step.target}):
                yield (step, *rest)


def _excluded(steps: tuple[Converter, ...], via: str | None, avoid: Collection[str]) -> bool:
    return (via is not None and not Route(steps).passes(via)) or any(step.name in avoid for step in steps)
