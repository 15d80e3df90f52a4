"""What a benchmark tells beyond latency: where operators ran, what an inference takes, and what the machine allows.

Each in a child of its own, after the timed ones: profiling would disturb those. What cannot be told says why.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry
from isoform.core import format as formats
from isoform.core.artifact import RECORD_NAME, Artifact, open_artifact, read_record
from isoform.core.cases import Array
from isoform.core.precision import FP32
from isoform.core.work import integer_share, untold
from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.registry import Runtime
from isoform.stages.ceilings import Ceilings


def details(
    folder: Path,
    artifact: Artifact,
    arrays: Mapping[str, Array],
    row: Runtime,
    pool: Pool,
    threads: Sequence[int],
    ceilings: Ceilings,
) -> dict[str, Any]:
    """Return ``placement``, ``work`` and ``ceilings`` of the artifact in ``folder`` for one query."""
    with tempfile.TemporaryDirectory(prefix="isoform-bench.") as scratch:
        inputs = Path(scratch) / "inputs.npz"
        np.savez(inputs, *arrays.values())
        work = _or_reason(lambda: _work(folder, artifact, inputs, pool))
        placement = _or_reason(lambda: _placement(artifact, inputs, row, pool, threads[0]))
        has_integers = bool(integer_share({"placement": placement}))
        return {
            "placement": placement,
            "work": work,
            "ceilings": _or_reason(
                lambda: ceilings.of(threads, pool, work.get("fewest_bytes"), has_integers=has_integers)
            ),
        }


def _placement(artifact: Artifact, inputs: Path, row: Runtime, pool: Pool, threads: int) -> dict[str, Any]:
    if not row.tells_placement:
        return untold(f"{row.name} does not tell which operators ran where")
    arguments = {"runtime": row.name, "artifact": artifact.to_json(), "inputs": str(inputs), "threads": threads}
    return pool.call("isoform.jobs.placement:place", arguments, needs=row.extra, is_fresh=True).value


def _work(folder: Path, artifact: Artifact, inputs: Path, pool: Pool) -> dict[str, Any]:
    """Return what was counted in the artifact's own graph, or in the ONNX file that was made of the same source."""
    if formats.lookup(artifact.format).is_graph:
        return _counted(artifact, inputs, pool)
    sibling = sibling_of(folder)
    if sibling is None:
        return untold(f"'{artifact.format}' is not counted, and there is no ONNX file of the same source beside it")
    return _counted(open_artifact(sibling), inputs, pool) | {"counted_from": f"the ONNX file in ../{sibling.name}"}


def _counted(artifact: Artifact, inputs: Path, pool: Pool) -> dict[str, Any]:
    needs = registry.runtime(formats.lookup(artifact.format).runtime).extra
    arguments = {"artifact": artifact.to_json(), "inputs": str(inputs)}
    return pool.call("isoform.jobs.work:count", arguments, needs=needs).value


def sibling_of(folder: Path) -> Path | None:
    """Return the folder beside this one that holds the same source as an ONNX file of float32, or None."""
    own = read_record(folder)
    for path in sorted(folder.absolute().parent.iterdir()):
        if not (path / RECORD_NAME).is_file():
            continue
        other = read_record(path)
        is_same = all(other.get(name) == own.get(name) for name in ("name", "framework", "signature"))
        is_same = is_same and _source(other) is not None and _source(other) == _source(own)
        if is_same and other["format"] == "onnx" and other.get("precision", FP32) == FP32:
            return path
    return None


def _source(record: Mapping[str, Any]) -> Any:
    return (record.get("source") or {}).get("sha256")


def _or_reason(found: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return found()
    except IsoformError as error:
        return untold(error.what)
