"""The verb inspect: what a file or an artifact holds, and which operators a target carries."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isoform.core import spelling
from isoform.core.artifact import RECORD_NAME, read_record, size_bytes
from isoform.errors import UsageError
from isoform.intake import contents
from isoform.intake.container import admit, identify
from isoform.isolation import Pool

CARRIERS = {"savedmodel": "tensorflow", "tflite": "litert", "torchscript": "torch"}
"""The targets that the hub writes, and what a child has to hold to be asked for their operators."""
_READ_BY_CHILD = {"onnx": "torch", "ort": "torch", "savedmodel": "tensorflow", "tflite": "litert"}
"""Formats that are read with a framework's own schema, and which child has it."""


def operators(target: str, pool: Pool) -> list[dict[str, Any]]:
    """Return the ONNX operators that ``target`` carries, with the opsets at which a form of each begins.

    Rows with ``read_from`` are operators of the format's own, which its files may hold where they are a source.

    Raises:
        UsageError: the hub does not write this format.
    """
    if target not in CARRIERS:
        raise UsageError(f"The hub does not write '{target}'.", spelling.hint(target, CARRIERS))
    answer = pool.call("isoform.jobs.operators:listed", {"format": target}, needs=CARRIERS[target])
    found: list[dict[str, Any]] = answer.value["operators"]
    return found


def describe(path: Path, pool: Pool) -> dict[str, Any]:
    """Return what ``path`` holds: an artifact's record, or a file's format, size and contents; nothing is executed.

    Raises:
        UsageError: no such path.
        IsoformError: nothing here recognises it, or it does not open.
    """
    if (path / RECORD_NAME).is_file():
        return read_record(path)
    container = identify(path)
    admit(container, allow_pickle=True)  # nothing is unpickled: what it would import is listed
    name = container.format
    described: dict[str, Any] = {
        "path": str(path),
        "format": name,
        "size_bytes": size_bytes(path),
        "signature": None,
    }
    described |= contents.described(container)
    if name in _READ_BY_CHILD and (name != "tflite" or find_spec("ai_edge_litert") is not None):
        described |= pool.call(
            "isoform.jobs.look:look", {"path": str(path), "format": name}, needs=_READ_BY_CHILD[name]
        ).value
    return described
