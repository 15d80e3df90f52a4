"""The jobs behind a comparison: what stays open between calls, and runs a block whenever it is asked.

Run them in a child of one's own. The child that is not asked waits for its pipe and takes no processor time.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from isoform import registry
from isoform.core.artifact import Artifact
from isoform.core.protocols import RunOptions, RuntimeModule
from isoform.core.statistics import median, undisturbed
from isoform.jobs.measure import inputs_of, stop_collecting, timed, timed_runs, warm_up

_open: dict[str, Callable[[], int]] = {}
"""What times a query of what this child holds open, by name."""
QUERY = "run"
"""The one query of a session."""


def hold(name: str, query: Callable[[], int], warmup_s: float, warmup_limit_s: float) -> float:
    """Keep a query open under ``name`` and return its median nanoseconds once it is warm."""
    latencies, _ = warm_up(query, warmup_s, warmup_limit_s)
    _open[name] = query
    return median(latencies)


def open_session(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Load a model, warm up, and return its one query's median nanoseconds and what starting cost.

    Args:
        arguments: runtime, artifact (an Artifact as JSON), inputs (path of an npz), threads, warmup_s, warmup_limit_s.
        progress: unused; this is one step.

    Returns:
        query_ns: by name of the query; start_ns: to import the runtime, load the model and answer once.
    """
    row = registry.runtime(arguments["runtime"])
    registry.require(row)
    artifact = Artifact.from_json(arguments["artifact"])
    inputs = inputs_of(Path(arguments["inputs"]), artifact)
    begin = perf_counter_ns()
    module: RuntimeModule = importlib.import_module(row.module)
    session = module.load(artifact, RunOptions(device=row.device, threads=arguments["threads"]))
    bound = session.bind(inputs)
    bound.run()
    start_ns = perf_counter_ns() - begin
    query_ns = hold(QUERY, timed(bound.run), arguments["warmup_s"], arguments["warmup_limit_s"])
    stop_collecting()
    return {"query_ns": {QUERY: query_ns}, "start_ns": start_ns}


def block(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the undisturbed nanoseconds of a query in a row of ``queries``; one before them is not timed.

    Where other work takes the processor in the middle of a query, that is not the model's.

    Args:
        arguments: query (its name), queries (how many).
        progress: unused; this is one step.
    """
    query = _open[arguments["query"]]
    query()  # another process had the caches
    return {"query_ns": undisturbed(timed_runs(query, arguments["queries"], at_most_s=60.0))}
