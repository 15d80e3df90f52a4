"""The jobs behind a comparison: a session that stays open between calls, and runs a block whenever it is asked.

Run them in a child of one's own. The child that is not asked waits for its pipe and takes no processor time.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core.artifact import Artifact
from isoform.core.protocols import RunOptions, RuntimeModule
from isoform.core.statistics import median, undisturbed
from isoform.jobs.measure import inputs_of, stop_collecting, timed, timed_runs, warm_up

_open: list[Callable[[], int]] = []
"""What times one query of the session of this child; one at most."""


def open_session(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Load a model, warm up, and return the median nanoseconds of a query.

    Args:
        arguments: runtime, artifact (an Artifact as JSON), inputs (path of an npz), threads, warmup_s, warmup_limit_s.
        progress: unused; this is one step.
    """
    row = registry.runtime(arguments["runtime"])
    registry.require(row)
    artifact = Artifact.from_json(arguments["artifact"])
    inputs = inputs_of(Path(arguments["inputs"]), artifact)
    module: RuntimeModule = importlib.import_module(row.module)
    session = module.load(artifact, RunOptions(device=row.device, threads=arguments["threads"]))
    query = timed(session.bind(inputs).run)
    latencies, _ = warm_up(query, arguments["warmup_s"], arguments["warmup_limit_s"])
    stop_collecting()
    _open[:] = [query]
    return {"query_ns": median(latencies)}


def block(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the undisturbed nanoseconds of a query in a row of ``queries``; one before them is not timed.

    Where other work takes the processor in the middle of a query, that is not the model's.

    Args:
        arguments: queries.
        progress: unused; this is one step.
    """
    (query,) = _open
    query()  # another process had the caches
    return {"query_ns": undisturbed(timed_runs(query, arguments["queries"], at_most_s=60.0))}
