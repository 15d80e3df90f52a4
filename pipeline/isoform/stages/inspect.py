"""The verb inspect: what a file or an artifact holds, and which operators a target carries."""

from pathlib import Path
from typing import Any

from isoform.core.artifact import RECORD_NAME, read_record
from isoform.errors import UsageError
from isoform.intake.container import identify
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Pool

CARRIERS = {"savedmodel": "tensorflow", "tflite": "litert", "torchscript": "torch"}
"""The targets that the hub writes, and what a child has to hold to be asked for their operators."""
_TELLING = ("onnx", "keras")
"""Formats whose files say what their inputs and outputs are."""


def operators(target: str, pool: Pool) -> list[dict[str, Any]]:
    """Return the ONNX operators that ``target`` carries, with the opsets at which a form of each begins.

    Rows with ``read_from`` are operators of the format's own, which its files may hold where they are a source.

    Raises:
        UsageError: the hub does not write this format.
    """
    if target not in CARRIERS:
        raise UsageError(f"The hub does not write '{target}'.", f"One of: {', '.join(CARRIERS)}.")
    answer = pool.call("isoform.jobs.operators:listed", {"format": target}, needs=CARRIERS[target])
    found: list[dict[str, Any]] = answer.value["operators"]
    return found


def describe(path: Path, pool: Pool, workspace: Path) -> dict[str, Any]:
    """Return what ``path`` holds: an artifact's record, or a file's format, size and signature as far as it says.

    Raises:
        UsageError: no such path.
        IsoformError: nothing here recognises it, or it does not open.
    """
    if (path / RECORD_NAME).is_file():
        return read_record(path)
    container = identify(path)
    name = container.format
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    described: dict[str, Any] = {
        "path": str(path),
        "format": name,
        "size_bytes": sum(file.stat().st_size for file in files),
        "signature": None,
    }
    if name in _TELLING:
        described["signature"] = from_file(FileRequest(path), pool, workspace).artifact.signature.to_json()
    return described
