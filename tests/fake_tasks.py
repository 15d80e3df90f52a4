"""What test workers load first: a kind of task that is one call in a child, without a framework."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoform.executor.tasks import KINDS, Emit
from isoform.isolation import Pool


def perform(arguments: Mapping[str, Any], pool: Pool, emit: Emit) -> tuple[dict[str, Any], int]:
    """Return what the job said, and the process of the worker."""
    emit({"subject": arguments["name"], "text": "working"})
    answer = pool.call(f"jobs_under_test:{arguments['job']}", arguments, needs="nothing", root=Path(arguments["root"]))
    return {**answer.value, "worker_pid": os.getpid()}, 0


KINDS["fake"] = perform
