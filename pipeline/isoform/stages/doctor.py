"""The verb doctor: which converters and runtimes work in this environment, and what to install for the others.

Packages are looked up, not imported: it answers at once.
"""

from dataclasses import dataclass
from importlib import metadata
from typing import Any

from isoform import registry
from isoform.errors import MissingDependency

FLOORS = {
    "torch": ((2, 10), "older ones run code from a checkpoint even when told not to"),
    "keras": ((3, 12, 4), "older ones can be made to run code in safe mode"),
    "onnx": ((1, 22), "older ones follow hard links out of a model's folder"),
    "onnxruntime": ((1, 24), "older ones follow symbolic links out of a model's folder"),
}
"""The oldest version that withstands published attacks, and why."""


@dataclass(frozen=True)
class Finding:
    """One row of the answer.

    Attributes:
        status: "works", "missing" or "too old".
        remedy: the command to run; empty where it works.
    """

    subject: str
    kind: str
    status: str
    detail: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def examine() -> list[Finding]:
    """Return a finding for every converter, runtime and package with a known floor."""
    return [
        *(_row("converter", row) for row in registry.CONVERTERS.values()),
        *(_row("runtime", row) for row in registry.RUNTIMES.values()),
        *filter(None, map(_floor, FLOORS)),
    ]


def _row(kind: str, row: registry.Converter | registry.Runtime) -> Finding:
    try:
        registry.require(row)
    except MissingDependency as error:
        return Finding(row.name, kind, "missing", error.what, error.hint)
    return Finding(row.name, kind, "works", "every package it needs is installed")


def _floor(package: str) -> Finding | None:
    oldest, reason = FLOORS[package]
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
    numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:3] if part.isdigit())
    if numbers >= oldest:
        return Finding(package, "package", "works", version)
    floor = ".".join(map(str, oldest))
    return Finding(package, "package", "too old", f"{version}: {reason}", f"pip install '{package}>={floor}'")
