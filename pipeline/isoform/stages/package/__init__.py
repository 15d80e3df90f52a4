"""The verb package: an artifact in the folders and with the configuration that a server of models wants.

Only files whose digests are those that were proved are packaged, and only under a verdict that passes; whether requests
may be computed together is seen by running recorded cases, not read off the name of a dimension.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoform import registry, store
from isoform.core.artifact import CASES_NAME, Artifact, open_artifact, read_record
from isoform.core.format import FORMATS
from isoform.core.parity import PASS, WARN
from isoform.errors import IsoformError, MissingDependency, NotProved, UsageError
from isoform.intake import npz_file
from isoform.isolation import Pool
from isoform.stages.package import kserve, tf_serving, triton
from isoform.stages.package.layout import Layout, Request, check, publish


@dataclass(frozen=True)
class Server:
    """A kind of server: the formats that it opens, and what it wants of a package."""

    name: str
    title: str
    formats: tuple[str, ...]
    layout: Callable[[Request, Path], Layout]


SERVERS = {
    row.name: row
    for row in (
        Server("triton", "Triton Inference Server", triton.FORMATS, triton.layout),
        Server("tf-serving", "TensorFlow Serving", tf_serving.FORMATS, tf_serving.layout),
        Server("kserve", "KServe", kserve.FORMATS, kserve.layout),
    )
}


@dataclass(frozen=True)
class PackageOptions:
    """How artifacts are packaged.

    Attributes:
        name: what clients call the model; None for the artifact's own name.
        is_unproved: package it whatever its verdict is.
        is_forced: replace what is there.
    """

    out: Path
    name: str | None = None
    version: int = 1
    max_batch: int = 32
    max_delay_ms: float = 2.0
    storage: str | None = None
    is_unproved: bool = False
    is_forced: bool = False


@dataclass(frozen=True)
class Package:
    """What was written, or would be."""

    artifact: Path
    server: str
    name: str
    format: str
    verdict: str
    out: Path
    files: tuple[str, ...]
    why_not_batched: str
    start: str

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"artifact": str(self.artifact), "out": str(self.out), "files": list(self.files)}


def package(
    folders: Sequence[Path], server: str, options: PackageOptions, pool: Pool, *, is_dry: bool = False
) -> list[Package]:
    """Package the artifacts in ``folders`` for a server; nothing is written unless all of them can be.

    Raises:
        UsageError: the server does not open a format, a version is there already, or a name is taken twice.
        NotProved: an artifact does not pass.
        IsoformError: no artifact, or not the files that were exported.
    """
    row = SERVERS[server]
    planned: list[tuple[Package, Layout]] = []
    for folder in folders:
        found, layout = _plan(folder, row, options, pool)
        same = [one.artifact for one, _ in planned if one.name == found.name]
        if same:
            raise UsageError(
                f"{same[0]} and {folder} are both called '{found.name}'.", "Package one of them, or give it a --name."
            )
        if not options.is_forced:
            check(layout, options.out)
        planned.append((found, layout))
    if not is_dry:
        for _, layout in planned:
            publish(layout, options.out)
    return [found for found, _ in planned]


def _plan(folder: Path, row: Server, options: PackageOptions, pool: Pool) -> tuple[Package, Layout]:
    artifact, record = open_artifact(folder), read_record(folder)
    if artifact.format not in row.formats:
        raise UsageError(
            f"{folder}: {row.title} does not open '{artifact.format}'.",
            f"Package one of these formats: {', '.join(row.formats)}.",
        )
    altered = store.altered_files(folder, record["files"])
    if altered:
        raise IsoformError(
            f"{folder}: {altered[0]} is not the file that was exported: its SHA-256 differs.",
            "Export it again.", kind="damaged",
        )  # fmt: skip
    runtime = FORMATS[artifact.format].runtime
    verdict = record["parity"].get(runtime, {}).get("verdict", "NOT VERIFIED")
    if verdict not in (PASS, WARN) and not options.is_unproved:
        raise NotProved(f"{folder}: its verdict is {verdict}.", "Package another one, or this one with --unproved.")
    why_not = _why_not_batched(folder, artifact, runtime, pool)
    request = Request(
        artifact, options.name or record["name"], options.version, why_not, options.max_batch, options.max_delay_ms,
        options.storage,
    )  # fmt: skip
    layout = row.layout(request, options.out)
    found = Package(
        folder, row.name, request.name, artifact.format, verdict, options.out, layout.files, why_not, layout.start
    )
    return found, layout


def _why_not_batched(folder: Path, artifact: Artifact, runtime: str, pool: Pool) -> str:
    if not artifact.signature.has_batch_axis:
        return "its inputs and outputs have no dynamic batch axis in common"
    npz_file.refuse_bombs(folder / CASES_NAME)
    arguments = {"runtime": runtime, "artifact": artifact.to_json(), "cases": str((folder / CASES_NAME).resolve())}
    try:
        found = pool.call("isoform.jobs.batching:look", arguments, needs=registry.runtime(runtime).extra)
    except MissingDependency as error:
        return f"whether its samples depend on each other was not seen: {error.what}"
    why_not: str = found.value["why_not"]
    return why_not
