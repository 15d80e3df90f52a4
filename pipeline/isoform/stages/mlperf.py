"""MLPerf's LoadGen against an artifact, in a child of its own after the timed ones."""

import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from isoform.core.artifact import Artifact
from isoform.core.bench import BenchOptions
from isoform.core.cases import Array
from isoform.core.mlperf import EXTRA, MODULE, scenarios
from isoform.errors import MissingDependency
from isoform.isolation import Pool
from isoform.registry import Runtime


def require() -> None:
    """Raise MissingDependency where LoadGen is not installed."""
    if find_spec(MODULE) is None:
        raise MissingDependency.of(MODULE, "--mlperf", EXTRA)


def mlperf(
    artifact: Artifact,
    arrays: Mapping[str, Array],
    row: Runtime,
    pool: Pool,
    options: BenchOptions,
    threads: int,
    min_duration_s: float,
) -> dict[str, Any]:
    """Return the record of each scenario by its name, as core/mlperf.py writes it.

    Raises:
        MissingDependency: LoadGen is not installed.
        IsoformError: the model did not load or run.
    """
    require()
    with tempfile.TemporaryDirectory(prefix="isoform-bench.") as scratch:
        inputs = Path(scratch) / "inputs.npz"
        np.savez(inputs, *arrays.values())
        arguments = {
            "runtime": row.name,
            "artifact": artifact.to_json(),
            "inputs": str(inputs),
            "threads": threads,
            "batch": options.batch,
            "scenarios": scenarios(options.batch),
            "min_duration_s": min_duration_s,
            "warmup_s": options.warmup_s,
            "warmup_limit_s": options.warmup_limit_s,
        }
        root = artifact.architecture.root if artifact.architecture else None
        job = "isoform.jobs.mlperf:generate"
        return pool.call(
            job,
            arguments,
            needs=row.extra,
            root=root,
            is_fresh=True,
            timeout_s=pool.limits.timeout_s + 8 * min_duration_s,
        ).value
