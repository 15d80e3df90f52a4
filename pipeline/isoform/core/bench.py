"""What it costs to run an artifact: the record that bench writes (``bench.json``).

Raw timings are kept, every one of them; the figures of `Timing` are derived from them each time, so that a better
statistic needs no new measurement. Not aware of how the timings were taken: that is jobs/measure.py.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from isoform.core import mlperf, work
from isoform.core.machine import Machine
from isoform.core.statistics import FEWEST_FOR_INTERVAL, median, median_interval, quantile, queries_needed

BENCH_NAME = "bench.json"
SCHEMA_VERSION = 2
MEASUREMENT = 2
"""Raised when figures are taken in another way, so that old ones are not mistaken for new."""
DETAILS = ("placement", "work", "ceilings", mlperf.NAME)
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True)
class BenchOptions:
    """How much is measured.

    Attributes:
        processes: fresh interpreters for each number of threads, at most; six are the fewest that give an interval.
        threads: intra-operator threads, each measured apart; 0 is all cores.
        batch: samples in one query.
        rounds: timed queries in one process.
        warmup_s: shortest warm-up.
        warmup_limit_s: longest warm-up, steady or not.
        is_detailed: also where operators ran, what an inference takes and what the machine allows.
        timed_limit_s: a process that has timed this long ends its round early; the number of queries tells.
    """

    processes: int = FEWEST_FOR_INTERVAL
    threads: tuple[int, ...] = (1, 0)
    batch: int = 1
    rounds: int = 100
    warmup_s: float = 0.3
    warmup_limit_s: float = 3.0
    timed_limit_s: float = 2.0
    is_detailed: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"threads": list(self.threads)}


@dataclass(frozen=True)
class Process:
    """What one fresh interpreter measured, its phases apart.

    Attributes:
        import_ns: importing the runtime; load_ns: opening the file; first_ns: the first inference.
        warmup_ns: time spent on warm-up, over ``warmup_runs`` inferences.
        is_steady: the last two windows of the warm-up agreed.
        latencies_ns: the timed queries in the order they ran: computing alone, inputs and outputs in place.
        run_latencies_ns: queries that copy the inputs in and the outputs out as well.
        imported_rss_bytes: resident memory with the runtime imported and nothing loaded.
        peak_rss_bytes: highest resident memory of the whole process.
    """

    import_ns: int
    load_ns: int
    first_ns: int
    warmup_ns: int
    warmup_runs: int
    is_steady: bool
    latencies_ns: tuple[int, ...]
    run_latencies_ns: tuple[int, ...]
    imported_rss_bytes: int
    peak_rss_bytes: int

    def to_json(self) -> dict[str, Any]:
        raw = {"latencies_ns": list(self.latencies_ns), "run_latencies_ns": list(self.run_latencies_ns)}
        return asdict(self) | raw

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Process":
        raw = {name: tuple(record[name]) for name in ("latencies_ns", "run_latencies_ns")}
        return cls(**{**record, **raw})


@dataclass(frozen=True)
class Timing:
    """All processes at one number of threads.

    Attributes:
        threads: the number asked for, 0 resolved to the cores there are.
        load_before: load average before the first process; load_after: after the last.
    """

    threads: int
    processes: tuple[Process, ...]
    load_before: float | None = None
    load_after: float | None = None

    @cached_property
    def medians_ns(self) -> tuple[float, ...]:
        """The median latency of each process: the independent samples."""
        return tuple(median(process.latencies_ns) for process in self.processes)

    @property
    def median_ns(self) -> float:
        """The median of the process medians."""
        return median(self.medians_ns)

    @cached_property
    def interval_ns(self) -> tuple[float, float] | None:
        """The 95 % interval of `median_ns`; None where the processes are too few for one."""
        return median_interval(self.medians_ns)

    @property
    def range_ns(self) -> tuple[float, float]:
        """The smallest and the largest process median."""
        return min(self.medians_ns), max(self.medians_ns)

    @property
    def bounds_ns(self) -> tuple[float, float]:
        """Where `median_ns` lies as far as can be told: its interval, or the range where there is none."""
        return self.interval_ns or self.range_ns

    @property
    def queries(self) -> int:
        return sum(len(process.latencies_ns) for process in self.processes)

    @property
    def queries_per_s(self) -> tuple[float, ...]:
        """The rate of each process with queries back to back; of none whose clock did not move."""
        spent_ns = [(len(process.latencies_ns), sum(process.latencies_ns)) for process in self.processes]
        return tuple(count * 1e9 / time_ns for count, time_ns in spent_ns if time_ns)

    @property
    def is_steady(self) -> bool:
        return all(process.is_steady for process in self.processes)

    @property
    def import_ns(self) -> float:
        return median([process.import_ns for process in self.processes])

    @property
    def load_ns(self) -> float:
        return median([process.load_ns for process in self.processes])

    @property
    def first_ns(self) -> float:
        return median([process.first_ns for process in self.processes])

    @property
    def run_ns(self) -> float:
        """One query with its copies: the median of the process medians."""
        return median([median(process.run_latencies_ns) for process in self.processes])

    @property
    def peak_rss_bytes(self) -> int:
        """The highest of all processes."""
        return max(process.peak_rss_bytes for process in self.processes)

    @property
    def imported_rss_bytes(self) -> int:
        return int(median([process.imported_rss_bytes for process in self.processes]))

    def quantile_ns(self, name: str) -> float | None:
        """Return a quantile (``p50``, ``p90``, ``p99``, ``p99.9``) over all queries, or None where they are too few."""
        everything = [latency for process in self.processes for latency in process.latencies_ns]
        return quantile(everything, QUANTILES[name])

    def to_json(self) -> dict[str, Any]:
        return {
            "threads": self.threads,
            "summary": self._summary(),
            "load_before": self.load_before,
            "load_after": self.load_after,
            "processes": [process.to_json() for process in self.processes],
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Timing":
        processes = tuple(Process.from_json(process) for process in record["processes"])
        return cls(record["threads"], processes, record["load_before"], record["load_after"])

    def _summary(self) -> dict[str, Any]:
        interval = self.interval_ns
        return {
            "median_ns": self.median_ns,
            "interval_95_ns": list(interval) if interval else None,
            "range_ns": list(self.range_ns),
            "quantiles_ns": {
                name: value if (value := self.quantile_ns(name)) is not None
                else f"too few: {self.queries} of {queries_needed(fraction)} queries"
                for name, fraction in QUANTILES.items()
            },
            "run_ns": self.run_ns,
            "queries": self.queries,
            "is_steady": self.is_steady,
            "import_ns": self.import_ns,
            "load_ns": self.load_ns,
            "first_ns": self.first_ns,
            "imported_rss_bytes": self.imported_rss_bytes,
            "peak_rss_bytes": self.peak_rss_bytes,
        }  # fmt: skip


@dataclass(frozen=True)
class BenchRecord:
    """One artifact in one runtime on one machine.

    Attributes:
        key: digest of all that the record depends on; the same key needs no second measurement.
        device: "cpu" or "cuda": what the session really ran on.
        versions: of the runtime's packages.
        inputs: name, dtype and shape of what one query was.
        input_digest: SHA-256 of these inputs.
        size_bytes: the model on disk, external data included.
        details: by a name of `DETAILS`, what is told beyond latency, as core/placement.py, core/work.py and
            core/mlperf.py write it.
    """

    key: str
    runtime: str
    device: str
    is_optimised: bool
    batch: int
    versions: Mapping[str, str]
    machine: Machine
    inputs: tuple[str, ...]
    input_digest: str
    size_bytes: int
    timings: tuple[Timing, ...] = field(default=())
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "runtime": self.runtime,
            "device": self.device,
            "is_optimised": self.is_optimised,
            "batch": self.batch,
            "versions": dict(self.versions),
            "machine": self.machine.to_json(),
            "inputs": list(self.inputs),
            "input_digest": self.input_digest,
            "size_bytes": self.size_bytes,
            "timings": [self._timing(timing) for timing in self.timings],
            **self.details,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "BenchRecord":
        return cls(
            record["key"], record["runtime"], record["device"], record["is_optimised"], record["batch"],
            record["versions"], Machine.from_json(record["machine"]), tuple(record["inputs"]), record["input_digest"],
            record["size_bytes"], tuple(Timing.from_json(timing) for timing in record["timings"]),
            {name: record[name] for name in DETAILS if name in record},
        )  # fmt: skip

    def roofline(self, timing: Timing) -> dict[str, Any] | None:
        """Return where a timing stands below the machine's ceilings; None where that is not known."""
        return work.of_details(self.details, timing.threads, timing.median_ns)

    def throughput(self, timing: Timing) -> tuple[float, tuple[float, float] | None] | None:
        """Return samples a second with queries back to back, and the 95 % interval over processes if there is one."""
        rates = [self.batch * rate for rate in timing.queries_per_s]
        return (median(rates), median_interval(rates)) if rates else None

    def _timing(self, timing: Timing) -> dict[str, Any]:
        written = timing.to_json()
        rate, interval = self.throughput(timing) or (None, None)
        written["summary"] |= {"samples_per_s": rate, "samples_per_s_95": list(interval) if interval else None}
        found = self.roofline(timing) if self.details else None
        return written | {"summary": written["summary"] | {"roofline": found}} if found else written
