"""The verb bench: how long an artifact takes to load and to answer, and how much memory, in fresh processes.

`bench` measures a published artifact folder and writes ``bench.json`` into it; `measure` takes any artifact and
writes nothing. What was measured before under the same key is not measured again.
"""

import hashlib
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import isoform.core.cases
from isoform import store
from isoform.cache import Store, entry_key
from isoform.core import machine
from isoform.core.artifact import CASES_NAME, Artifact, open_artifact, read_record, size_bytes
from isoform.core.bench import BENCH_NAME, MEASUREMENT, SCHEMA_VERSION, BenchOptions, BenchRecord, Process, Timing
from isoform.core.cases import Array, Cases, Tensors
from isoform.core.mlperf import NAME as MLPERF
from isoform.errors import IsoformError, UsageError
from isoform.isolation import Pool
from isoform.registry import Runtime
from isoform.stages.ceilings import Ceilings
from isoform.stages.details import details
from isoform.stages.mlperf import mlperf

Progress = Callable[[dict[str, Any]], None]
KIND = "benchmark"
"""Of its entries in a store."""


@dataclass(frozen=True)
class Query:
    """One prepared input set, the same for every run."""

    arrays: dict[str, Array]

    @property
    def described(self) -> tuple[str, ...]:
        return tuple(f"{name}:{array.dtype}[{','.join(map(str, array.shape))}]" for name, array in self.arrays.items())

    @property
    def digest(self) -> str:
        """SHA-256 over names, dtypes, shapes and bytes."""
        sha = hashlib.sha256(repr(self.described).encode())
        for array in self.arrays.values():
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()


def bench(
    folder: Path,
    row: Runtime,
    pool: Pool,
    options: BenchOptions,
    *,
    is_forced: bool = False,
    on_progress: Progress | None = None,
    ceilings: Ceilings | None = None,
    limit_s: float | None = None,
    mlperf_s: float | None = None,
    cache: Store | None = None,
    on_hit: Callable[[str], None] | None = None,
) -> tuple[BenchRecord, bool]:
    """Return the record of the artifact in ``folder``, and whether an earlier one with the same key was reused.

    A new record joins ``bench.json``, in place of the one of the same runtime and batch.

    Args:
        mlperf_s: also ask MLPerf's LoadGen, so many seconds at least for each scenario; a record that lacks it gets it.
        limit_s: see `measure`. A record that was made in less time, of fewer processes, is reused like any other.
        cache: a store that is asked for figures of this very machine; ``on_hit`` is then told of when they are.
        ceilings: the machine's, which several benchmarks share; measured where they are needed.

    Raises:
        IsoformError: not an artifact, or the model did not load or run.
        UsageError: the runtime does not open this format.
    """
    record, artifact = read_record(folder), open_artifact(folder)
    query = prepare(isoform.core.cases.load(folder / CASES_NAME), artifact, options.batch)
    here = machine.describe()
    key = _key(record.get("key", ""), record["files"], row, options, query, here)
    others = [other for other in read(folder) if (other.runtime, other.batch) != (row.name, options.batch)]
    earlier = None if is_forced else next((each for each in read(folder) if each.key == key), None)
    if cache is not None and store.altered_files(folder, record["files"]):
        cache = None  # what is here is not what the key is of
    if earlier is None and cache is not None and not is_forced:
        earlier = _stored(cache, key, mlperf_s, on_hit)
        if earlier is not None:
            _write(folder, [*others, earlier])
    is_generated = mlperf_s is None or (earlier is not None and _duration_s(earlier) == mlperf_s)
    if earlier is not None and is_generated:
        return earlier, True
    measured = earlier or replace(measure(artifact, query, row, pool, options, on_progress, limit_s), key=key)
    threads = [timing.threads for timing in measured.timings]
    if options.is_detailed and earlier is None:
        told = details(folder, artifact, query.arrays, row, pool, threads, ceilings or Ceilings())
        measured = replace(measured, details=told)
    if mlperf_s is not None:
        said = mlperf(artifact, query.arrays, row, pool, options, max(threads), mlperf_s)
        measured = replace(measured, details={**measured.details, MLPERF: said})
    _write(folder, [*others, measured])
    if cache is not None:
        name = f"{record['name']}/{record['framework']}/{record['format']} {row.name} batch {options.batch}"
        cache.put_record(KIND, _stored_key(key, mlperf_s), name, measured.to_json())
    return measured, False


def _write(folder: Path, records: Sequence[BenchRecord]) -> None:
    document = {"schema_version": SCHEMA_VERSION, "records": [entry.to_json() for entry in records]}
    store.write_json(folder / BENCH_NAME, document)


def _stored(cache: Store, key: str, mlperf_s: float | None, on_hit: Callable[[str], None] | None) -> BenchRecord | None:
    found = cache.get_record(KIND, _stored_key(key, mlperf_s))
    if found is None:
        return None
    said, hit = found
    if on_hit is not None:
        on_hit(hit.told)
    return BenchRecord.from_json(said)


def _stored_key(key: str, mlperf_s: float | None) -> str:
    return entry_key(measurement=key, mlperf_s=mlperf_s, accelerators=machine.accelerators())


def read(folder: Path) -> list[BenchRecord]:
    """Return the records in ``folder``; none where there is no whole file of this version."""
    document = store.read_json(folder / BENCH_NAME)
    if not isinstance(document, dict) or document.get("schema_version") != SCHEMA_VERSION:
        return []
    try:
        return [BenchRecord.from_json(record) for record in document["records"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        return []  # not a whole document: as if it was never written, like everything that store reads


def prepare(cases: Cases, artifact: Artifact, batch: int) -> Query:
    """Return one query of ``batch`` samples, made of the representative case with the most elements a sample.

    Rows are repeated in turn along each leading dimension that is dynamic and called as the first one is.

    Raises:
        UsageError: the batch is fixed in the model and is another.
    """
    spec = artifact.signature.inputs[0]
    symbol = spec.shape[0] if spec.shape else None
    if not isinstance(symbol, str) and symbol is not None and symbol != batch:
        raise UsageError(
            f"'{spec.name}' has the fixed batch {symbol}, so batch {batch} cannot be measured.",
            f"Pass --batch {symbol}.",
        )
    case = _largest(cases, [each.name for each in artifact.signature.inputs])
    return Query({
        each.name: _rows(case[each.name], batch) if each.shape and each.shape[0] == symbol else case[each.name]
        for each in artifact.signature.inputs
    })  # fmt: skip


def measure(
    artifact: Artifact,
    query: Query,
    row: Runtime,
    pool: Pool,
    options: BenchOptions,
    on_progress: Progress | None = None,
    limit_s: float | None = None,
) -> BenchRecord:
    """Return the figures of ``artifact``, each process a fresh interpreter; thread counts take turns.

    Args:
        limit_s: after the first turn, none begins that would end later than so many seconds after the beginning if it
            took as long as the longest so far.

    Raises:
        IsoformError: the model did not load or run.
        UsageError: the runtime does not open this format.
    """
    if artifact.format not in row.formats:
        raise UsageError(
            f"The runtime '{row.name}' does not open '{artifact.format}'.", f"It opens: {', '.join(row.formats)}."
        )
    threads = tuple(dict.fromkeys(count or machine.cores() for count in options.threads))
    before = machine.load()
    values: dict[int, list[dict[str, Any]]] = {count: [] for count in threads}
    with tempfile.TemporaryDirectory(prefix="isoform-bench.") as scratch:
        inputs = Path(scratch) / "inputs.npz"
        np.savez(inputs, *query.arrays.values())
        begin, longest = time.monotonic(), 0.0
        for index in range(options.processes):
            turn = time.monotonic()
            if limit_s is not None and index and turn - begin + longest > limit_s:
                break
            for count in threads:
                values[count].append(_process(artifact, inputs, row, pool, options, count))
                if on_progress is not None:
                    on_progress({"process": index + 1, "processes": options.processes, "threads": count})
            longest = max(longest, time.monotonic() - turn)
    after = machine.load()
    timings = tuple(Timing(count, tuple(map(_fields, values[count])), before, after) for count in threads)
    return BenchRecord(
        key="",
        runtime=row.name,
        device=_agreed(values, "device"),
        is_optimised=_agreed(values, "is_optimised"),
        batch=options.batch,
        versions=_agreed(values, "versions"),
        machine=machine.describe(),
        inputs=query.described,
        input_digest=query.digest,
        size_bytes=size_bytes(artifact.model),
        timings=timings,
    )


def _process(
    artifact: Artifact, inputs: Path, row: Runtime, pool: Pool, options: BenchOptions, threads: int
) -> dict[str, Any]:
    arguments = {
        "runtime": row.name,
        "artifact": artifact.to_json(),
        "inputs": str(inputs),
        "threads": threads,
        "rounds": options.rounds,
        "warmup_s": options.warmup_s,
        "warmup_limit_s": options.warmup_limit_s,
        "timed_limit_s": options.timed_limit_s,
    }
    root = artifact.architecture.root if artifact.architecture else None
    return pool.call("isoform.jobs.measure:measure", arguments, needs=row.extra, root=root, is_fresh=True).value


def _fields(value: Mapping[str, Any]) -> Process:
    return Process.from_json({name: value[name] for name in Process.__dataclass_fields__})


def _agreed(values: Mapping[int, list[dict[str, Any]]], name: str) -> Any:
    """Return what all processes say of ``name``.

    Raises:
        IsoformError: they differ, so their figures are not of one thing.
    """
    said = [value[name] for group in values.values() for value in group]
    if any(other != said[0] for other in said):
        raise IsoformError(
            f"The processes of one benchmark differ in their {name}: {said}.",
            "Install nothing while it runs, and run it again.",
            kind="unstable",
        )
    return said[0]


def _duration_s(record: BenchRecord) -> float | None:
    """Return how long LoadGen ran at least; None where it did not."""
    return next((said["min_duration_s"] for said in record.details.get(MLPERF, {}).values()), None)


def _key(
    artifact_key: str,
    files: Mapping[str, Any],
    row: Runtime,
    options: BenchOptions,
    query: Query,
    here: machine.Machine,
) -> str:
    return store.digest_of({
        "measurement": MEASUREMENT,
        "artifact": artifact_key,
        "files": dict(files),
        "runtime": row.name,
        "versions": machine.versions(row.needs),
        "options": options.to_json(),
        "inputs": query.digest,
        "machine": here.digest,
    })  # fmt: skip


def _largest(cases: Cases, names: list[str]) -> Tensors:
    kinds = ("representative", "given")
    fitting = [case for case, kind in zip(cases.inputs, cases.kinds, strict=True) if kind in kinds]
    return max(fitting or cases.inputs, key=lambda case: sum(_sample_size(case[name]) for name in names))


def _sample_size(array: Array) -> int:
    return array.size // len(array) if array.ndim and len(array) else array.size


def _rows(array: Array, count: int) -> Array:
    return np.ascontiguousarray(np.take(array, np.arange(count) % len(array), axis=0))
