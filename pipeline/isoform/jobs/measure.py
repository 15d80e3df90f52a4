"""The job behind a benchmark: one model in one interpreter, its phases apart. Run it in a fresh child.

Latency is the wall time of computing, with the inputs in place and the outputs left there (``Session.bind``). What
copying in and out adds is timed apart, as ``Session.run``: numpy arrays in, numpy arrays out. Not aware of statistics:
what was timed is returned as it came.
"""

import gc
import importlib
import itertools
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from isoform import registry
from isoform.core import machine
from isoform.core.artifact import Artifact
from isoform.core.protocols import RunOptions, RuntimeModule
from isoform.core.statistics import median

WINDOW = 20
WHOLE_RUNS = 20
"""How often ``Session.run`` is timed, at most, beside the queries themselves."""
FEWEST_RUNS = 10
TOLERANCE = 0.02
_NS = 1_000_000_000


def measure(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the phases of one process as the fields of core.bench.Process, with device and versions.

    Args:
        arguments: runtime, artifact (an Artifact as JSON), inputs (path of an npz), threads, rounds, warmup_s,
            warmup_limit_s, timed_limit_s.
    """
    row = registry.runtime(arguments["runtime"])
    registry.require(row)
    artifact = Artifact.from_json(arguments["artifact"])
    inputs = inputs_of(Path(arguments["inputs"]), artifact)
    options = RunOptions(device=row.device, threads=arguments["threads"])

    begin = perf_counter_ns()
    module: RuntimeModule = importlib.import_module(row.module)
    import_ns = perf_counter_ns() - begin
    imported_rss_bytes = machine.resident_bytes()
    begin = perf_counter_ns()
    session = module.load(artifact, options)
    load_ns = perf_counter_ns() - begin

    try:
        begin = perf_counter_ns()
        bound = session.bind(inputs)
        bound.answer()
        first_ns = perf_counter_ns() - begin
        query = timed(bound.run)
        warmup, is_steady = warm_up(query, arguments["warmup_s"], arguments["warmup_limit_s"])
        progress(phase="timed", warmup_runs=len(warmup))
        stop_collecting()
        latencies = timed_runs(query, arguments["rounds"], arguments["timed_limit_s"])
        whole = timed_runs(timed(lambda: session.run(inputs)), WHOLE_RUNS, arguments["timed_limit_s"] / WHOLE_RUNS)
    finally:
        session.close()
    return {
        "import_ns": import_ns,
        "load_ns": load_ns,
        "first_ns": first_ns,
        "warmup_ns": sum(warmup),
        "warmup_runs": len(warmup),
        "is_steady": is_steady,
        "latencies_ns": latencies,
        "run_latencies_ns": whole,
        "imported_rss_bytes": imported_rss_bytes,
        "peak_rss_bytes": machine.peak_resident_bytes(),
        "device": row.device,
        "is_optimised": options.is_optimised,
        "versions": machine.versions(row.needs),
    }


def timed(run: Callable[[], object]) -> Callable[[], int]:
    """Return what calls ``run`` once and returns the nanoseconds that it took."""
    clock = perf_counter_ns

    def query() -> int:
        begin = clock()
        run()
        return clock() - begin

    return query


def warm_up(query: Callable[[], int], at_least_s: float, at_most_s: float) -> tuple[list[int], bool]:
    """Return the latencies (ns) until two neighbouring windows of 20 agree within 2 %, and whether they did.

    Time is what the queries took: at least ``at_least_s``, and at most ``at_most_s`` once there are ten runs.
    """
    latencies: list[int] = []
    spent = 0
    while len(latencies) < FEWEST_RUNS or spent < at_most_s * _NS:
        latencies.append(query())
        spent += latencies[-1]
        is_due = len(latencies) % WINDOW == 0 and spent >= at_least_s * _NS
        if is_due and is_steady(latencies):
            return latencies, True
    return latencies, is_steady(latencies)


def is_steady(latencies: list[int]) -> bool:
    """Return whether the medians of the last two windows differ by less than 2 % of the earlier one."""
    if len(latencies) < 2 * WINDOW:
        return False
    before, last = median(latencies[-2 * WINDOW : -WINDOW]), median(latencies[-WINDOW:])
    return abs(last - before) < TOLERANCE * before


def stop_collecting() -> None:
    """End Python's garbage collection in this process: its pauses are not the runtime's, and it empties the caches."""
    gc.collect()
    gc.disable()


def timed_runs(query: Callable[[], int], rounds: int, at_most_s: float) -> list[int]:
    """Return the latencies (ns) of ``rounds`` queries, fewer once they took ``at_most_s``."""
    latencies: list[int] = []
    spent = 0
    for _ in itertools.repeat(None, rounds):
        latencies.append(query())
        spent += latencies[-1]
        if spent >= at_most_s * _NS:
            break
    return latencies


def inputs_of(path: Path, artifact: Artifact) -> dict[str, np.ndarray]:
    """Return the arrays of an npz, written in the order of the signature, by name."""
    with np.load(path, allow_pickle=False) as archive:
        return {spec.name: archive[f"arr_{position}"] for position, spec in enumerate(artifact.signature.inputs)}
