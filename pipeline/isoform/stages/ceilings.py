"""What the machine itself can do, measured at most once in a run of the command, in a child of its own."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from isoform.isolation import Pool

_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)  # fmt: skip
"""However numpy was built: the job itself starts as many threads as are asked for."""


class Ceilings:
    """The machine's ceilings, kept for the numbers of threads that were asked for before."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {"threads": {}}
        self._integers: dict[str, Any] = {"threads": {}}

    def of(
        self, threads: Sequence[int], pool: Pool, moved_bytes: int | None = None, *, has_integers: bool = False
    ) -> dict[str, Any]:
        """Return the ceilings at these numbers of threads, as ``bench.json`` has them.

        Args:
            moved_bytes: what a query moves; ``bytes_per_s`` is then of the level of memory that holds that much.
            has_integers: some of the arithmetic is of integers, whose ceiling is measured too where ONNX Runtime is.

        Raises:
            ChildFailed: the measurement broke off, as without the memory for it.
        """
        missing = [count for count in threads if str(count) not in self._found["threads"]]
        if missing:
            job = "isoform.jobs.ceilings:measure"
            found = pool.call(job, {"threads": missing}, needs="numpy", environment=_ONE_THREAD).value
            self._found = {**found, "threads": {**self._found["threads"], **found["threads"]}}
        chosen = {str(count): _with_fewer(self._found["threads"], count) for count in threads}
        of_level = {count: each | {"bytes_per_s": bytes_per_s(each, moved_bytes)} for count, each in chosen.items()}
        told = {**self._found, "moved_bytes": moved_bytes, "threads": of_level}
        return told | self._of_integers(told["threads"], pool) if has_integers else told

    def _of_integers(self, floats: Mapping[str, dict[str, Any]], pool: Pool) -> dict[str, Any]:
        """Return the rows with the ceiling of integers, and what measured it; as they are without ONNX Runtime."""
        if find_spec("onnxruntime") is None or find_spec("onnx") is None:
            return {"integer_kernel": None}
        missing = [int(count) for count in floats if count not in self._integers["threads"]]
        if missing:
            found = pool.call("isoform.jobs.ceilings:integers", {"threads": missing}, needs="onnxruntime").value
            self._integers = {**found, "threads": {**self._integers["threads"], **found["threads"]}}
        measured = self._integers["threads"]
        rows = {
            count: row | {"integer_ops_per_s": max(
                each["integer_ops_per_s"] for other, each in measured.items() if int(other) <= int(count)
            )}
            for count, row in floats.items()
        }  # fmt: skip
        return {"integer_kernel": self._integers["integer_kernel"], "threads": rows}


def _with_fewer(measured: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """Return what was reached with this number of threads or with fewer: more allow no less, what else runs apart."""
    rows = [row for count, row in measured.items() if int(count) <= threads]
    levels = zip(*(row["levels"] for row in rows), strict=True)
    return {
        "flops_per_s": max(row["flops_per_s"] for row in rows),
        "memory_bytes_per_s": max(row["memory_bytes_per_s"] for row in rows),
        "levels": [[level[0][0], max(rate for _, rate in level)] for level in levels],
    }


def bytes_per_s(measured: Mapping[str, Any], moved_bytes: int | None) -> float:
    """Return the bandwidth for as many bytes, in a cache that holds them; main memory's for more, or if that is open.

    The best of all levels that are large enough: what holds more is no faster, but for the noise of measuring.
    """
    levels = measured["levels"] if moved_bytes is not None else []
    rates = (rate for size, rate in levels if size >= (moved_bytes or 0))
    return float(max([measured["memory_bytes_per_s"], *rates]))
