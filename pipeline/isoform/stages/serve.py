"""The verb serve: answer requests over HTTP with an artifact, as long as its files are those that were proved."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isoform import registry, store
from isoform.core.artifact import CASES_NAME, open_artifact, read_record
from isoform.core.format import FORMATS
from isoform.errors import IsoformError, MissingDependency, UsageError
from isoform.intake import npz_file
from isoform.isolation import Pool

_LIBRARIES = ("starlette", "uvicorn", "prometheus_client")


@dataclass(frozen=True)
class ServeOptions:
    """How an artifact is served.

    Attributes:
        port: 0 is any free one.
        threads: of the runtime; 0 is all cores.
        max_batch: the most samples of several requests that are computed together.
        max_delay_ms: how long a request waits for others.
        max_waiting: the most requests that wait; those beyond are refused.
        max_request_bytes: the largest request.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    threads: int = 0
    max_batch: int = 32
    max_delay_ms: float = 2.0
    max_waiting: int = 1024
    max_request_bytes: int = 64 << 20


@dataclass(frozen=True)
class Serving:
    """What is served once requests are accepted; ``why_not_batched`` is "" where they are computed together."""

    name: str
    format: str
    runtime: str
    verdict: str
    url: str
    why_not_batched: str


def serve(
    folder: Path, runtime: str | None, options: ServeOptions, pool: Pool, on_ready: Callable[[Serving], None]
) -> None:
    """Serve the artifact in ``folder`` until the pool is closed or the process is interrupted.

    Raises:
        UsageError: the runtime does not open the artifact, or the address is taken.
        MissingDependency: the server's libraries or the runtime are not installed.
        IsoformError: no artifact, or not the files that were exported.
    """
    for module in _LIBRARIES:
        if find_spec(module) is None:
            raise MissingDependency.of(module, "isoform serve", "serve")
    artifact, record = open_artifact(folder), read_record(folder)
    row = registry.runtime(runtime or FORMATS[artifact.format].runtime)
    if artifact.format not in row.formats:
        raise UsageError(f"'{row.name}' does not open '{artifact.format}'.", "Leave --runtime out.")
    altered = store.altered_files(folder, record["files"])
    if altered:
        raise IsoformError(
            f"{folder}: {altered[0]} is not the file that was exported: its SHA-256 differs.",
            "Export it again.", kind="damaged",
        )  # fmt: skip
    npz_file.refuse_bombs(folder / CASES_NAME)
    proved = record["parity"].get(row.name, {}).get("verdict", "NOT VERIFIED")

    def ready(event: dict[str, Any]) -> None:
        on_ready(Serving(record["name"], artifact.format, row.name, proved, event["url"], event["why_not_batched"]))

    arguments = {
        "runtime": row.name, "artifact": artifact.to_json(), "cases": str((folder / CASES_NAME).resolve()),
        "name": record["name"], "version": registry.version_of("isoform"), **vars(options),
    }  # fmt: skip
    pool.call(
        "isoform.jobs.serve:serve", arguments, needs=row.extra, is_fresh=True, timeout_s=math.inf, on_progress=ready
    )
