"""What a conversion would do, told without doing it: routes, what is missing for each, and what would be written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoform import registry, routes
from isoform.core import format as formats
from isoform.core.artifact import CASES_NAME, RECORD_NAME
from isoform.core.layout import KEEP
from isoform.core.precision import Variant, lookup
from isoform.stages.decisions import TASK_NAME
from isoform.stages.verify import LEDGER_NAME


@dataclass(frozen=True)
class Outlook:
    """One format of one source, in one precision.

    Attributes:
        destination: the folder that would be written.
        is_there: something stands there already; it is replaced when the new artifact is whole.
        routes: in the order in which they would be tried.
        runtimes: on which the result would be proved.
    """

    variant: Variant
    destination: Path
    is_there: bool
    routes: tuple[routes.Route, ...]
    runtimes: tuple[registry.Runtime, ...]

    @property
    def is_possible(self) -> bool:
        """Some route has everything that it needs."""
        return not all(route.missing for route in self.routes)

    @property
    def packages(self) -> frozenset[str]:
        """The modules that its routes and runtimes are made of."""
        converting = {name for route in self.routes for step in route.steps for name in step.needs}
        return frozenset(converting.union(*(row.needs for row in self.runtimes)))

    @property
    def files(self) -> tuple[str, ...]:
        written = (CASES_NAME, LEDGER_NAME) if self.runtimes else ()
        sampled = (TASK_NAME,) if self.runtimes and lookup(self.variant.precision).is_reduced else ()
        return (*formats.lookup(self.variant.format).written, RECORD_NAME, *written, *sampled)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": self.variant.format,
            "precision": self.variant.precision,
            "destination": str(self.destination),
            "is_there": self.is_there,
            "files": list(self.files),
            "routes": [
                {"route": str(route), "converters": list(route.names), "missing": list(route.missing)}
                for route in self.routes
            ],
            "runtimes": [{"runtime": row.name, "missing": list(registry.missing(row))} for row in self.runtimes],
        }


def routes_to(
    source: str, target: Variant, via: str | None, avoid: Sequence[str], io_layout: str
) -> tuple[routes.Route, ...]:
    """Return the routes that a request allows, in the order in which they are tried.

    A file may stay in its format where its precision becomes another: that route has no step.

    Raises:
        UsageError: an unknown format or converter.
        NoRoute: nothing leads to the target.
    """
    if source == target.format and lookup(target.precision).is_reduced and via is None:
        return (routes.Route((), source),)
    found = routes.ranked(source, target.format, via=via, avoid=avoid)
    if io_layout == KEEP:
        return found
    return tuple(route for route in found if route.passes("onnx"))  # that is where images are moved


def outlook(
    source: str,
    targets: Sequence[Variant],
    out: Path,
    *,
    via: str | None = None,
    avoid: Sequence[str] = (),
    io_layout: str = KEEP,
    is_verified: bool = True,
) -> list[Outlook]:
    """Return what an export of the format ``source`` to each of ``targets`` would do below ``out``.

    Raises:
        UsageError: an unknown format or converter.
        NoRoute: nothing leads to one of the targets.
    """
    return [
        Outlook(
            target,
            out / target.label,
            (out / target.label / RECORD_NAME).is_file(),
            routes_to(source, target, via, avoid, io_layout),
            registry.runtimes_of(target.format) if is_verified else (),
        )
        for target in targets
    ]
