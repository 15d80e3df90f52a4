"""What crosses to a worker and back: JSON as bytes, so that no side runs what the other one has pickled.

A kind of task is one row of `KINDS`: a function of JSON arguments that answers with a JSON record. Not aware of Dask.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoform.cache import Store, open_store
from isoform.errors import IsoformError, from_json
from isoform.isolation import Pool
from isoform.stages import batch
from isoform.stages.export import order

Emit = Callable[[dict[str, Any]], None]
"""Called with what happens to a task now: a JSON object."""
Perform = Callable[[Mapping[str, Any], Pool, Emit], tuple[dict[str, Any], int]]
"""Returns the record and the exit code that it alone would end with."""


@dataclass(frozen=True)
class Task:
    """One thing to be done, by whoever has what it needs.

    Attributes:
        kind: a key of `KINDS`.
        name: for people.
        arguments: JSON; every path in it is absolute.
        sources: files or folders that a worker has to see.
        memory_bytes: what it and its children take together at most.
        gpus: how many it wants to itself.
    """

    kind: str
    name: str
    arguments: Mapping[str, Any]
    sources: tuple[Path, ...]
    memory_bytes: int
    gpus: int = 0

    @property
    def resources(self) -> dict[str, float]:
        """What a worker has to have, as Dask counts it."""
        return {"memory": self.memory_bytes, **({"GPU": self.gpus} if self.gpus else {})}

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "name": self.name, "arguments": dict(self.arguments),
            "sources": list(map(str, self.sources)), "memory_bytes": self.memory_bytes, "gpus": self.gpus,
        }  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What came of a task.

    Attributes:
        record: what its kind answers; None where it was not done.
        error: why not.
        exit_code: what it alone would end with.
        worker: host and process that did it; empty where none has.
    """

    record: Mapping[str, Any] | None
    error: IsoformError | None
    exit_code: int
    worker: str = ""

    @classmethod
    def refused(cls, error: IsoformError) -> "Answer":
        return cls(None, error, error.exit_code)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Answer":
        error = from_json(record["error"]) if record["error"] else None
        return cls(record["record"], error, int(record["exit_code"]), str(record["worker"]))


def to_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a document as it crosses."""
    return json.dumps(document).encode()


def from_bytes(content: bytes) -> dict[str, Any]:
    """Return the document that has crossed."""
    found: dict[str, Any] = json.loads(content)
    return found


def _convert(arguments: Mapping[str, Any], pool: Pool, emit: Emit) -> tuple[dict[str, Any], int]:
    job = batch.Job.from_json(arguments, _store(arguments["store"], emit))
    done = batch.run(job, pool, lambda subject, text: emit({"subject": subject, "text": text}))
    return done.to_json(), done.exit_code


def _export(arguments: Mapping[str, Any], pool: Pool, emit: Emit) -> tuple[dict[str, Any], int]:
    results = order.perform(
        order.Order.from_json(arguments),
        pool,
        _store(arguments["store"], emit),
        lambda subject, text: emit({"subject": subject, "text": text}),
        lambda subject, event: emit({"subject": subject, "training": event}),
    )
    return {"results": [result.to_json() for result in results]}, max(result.exit_code for result in results)


def _store(url: str | None, emit: Emit) -> Store | None:
    return None if url is None else open_store(url, lambda text: emit({"note": text}))


KINDS: dict[str, Perform] = {"convert": _convert, "export": _export}
