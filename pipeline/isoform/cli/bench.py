"""``isoform bench``: what an artifact costs to run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isoform import registry
from isoform.cli import artifacts, options, plans, stores
from isoform.cli.allotment import Allotment
from isoform.cli.sections import Sectioned
from isoform.cli.usage import Counts
from isoform.core import budget as budgets
from isoform.core import cases, comparison, mlperf
from isoform.core.artifact import CASES_NAME, open_artifact
from isoform.core.bench import BenchOptions, BenchRecord
from isoform.core.format import FORMATS
from isoform.errors import RESULT_FAILED, IsoformError, UsageError

if TYPE_CHECKING:
    from isoform.cache import Store
    from isoform.isolation import Pool
    from isoform.stages.ceilings import Ceilings

MINUTES = 8.0
_SLOW_TO_START = ("torch", "tensorflow")
_SHARES = {
    "mac_share_float": "in float", "mac_share_integer": "on integers", "mac_share_off_target": "elsewhere",
    "mac_share_not_told": "where the runtime does not tell",
}  # fmt: skip


@click.command(
    cls=Sectioned,
    sections={
        "What is measured": ("--runtime", "--threads", "--batch"),
        "How much": ("--rounds", "--processes", "--minutes", "--quick"),
        "MLPerf": ("--mlperf", "--mlperf-seconds"),
        "What it is held against": ("--baseline", "--threshold", "--budget"),
    },
    epilog="""\b
Examples:
  isoform bench exports                                       every artifact
  isoform bench exports/mlp/torch/onnx --threads 1 --json
  isoform bench exports/mlp --batch 1,8,32                    and how many samples a second, by batch
  isoform bench exports --quick --budget 'p50<2ms,size<5MB'   fails on what is beyond it
  isoform bench exports/mlp --baseline before/mlp             is it slower than an earlier export?
  isoform bench DIR/tflite --baseline DIR/onnx                is one format slower than another, here?
  isoform bench exports/mlp --mlperf                          and what MLPerf's LoadGen says

Exit codes: 0 done, 1 beyond the budget or slower than the baseline, 3 LoadGen is not installed,
4 a file did not load or run.""",
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.runtimes
@click.option("--threads", multiple=True, type=click.IntRange(0), help="Threads, 0 for all cores; default: 1 and 0.")
@click.option(
    "--batch", "batches", metavar="N[,N...]", type=Counts(), default="1", show_default=True,
    help="Samples in one query; several are measured one after the other, and their throughput told.",
)  # fmt: skip
@click.option("--rounds", type=click.IntRange(1), help="Timed queries in each process.")
@click.option(
    "--processes", type=click.IntRange(1), help="Fresh processes for each number of threads, however long that takes."
)
@click.option(
    "--minutes", type=click.FloatRange(0), default=MINUTES, show_default=True,
    help="How long all may take: six processes each, fewer where the time is short, and one at least.",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="Fewer processes and a short warm-up: an impression, its interval wide.")
@click.option("--mlperf", "is_generated", is_flag=True, help="Ask MLPerf's LoadGen too: single-stream and offline.")
@click.option(
    "--mlperf-seconds", "mlperf_s", type=click.FloatRange(0, min_open=True), default=mlperf.USABLE_S,
    show_default=True, help=f"How long a scenario of --mlperf lasts at least; by its rules {mlperf.OFFICIAL_S:g}.",
)  # fmt: skip
@click.option(
    "--baseline", type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Time each artifact in turns with the same one of this folder, instead of by itself.",
)  # fmt: skip
@click.option(
    "--threshold", type=click.FloatRange(0, 1, min_open=True), default=comparison.THRESHOLD, show_default=True,
    help="By which part a latency has to differ from the baseline's.",
)  # fmt: skip
@click.option("--budget", metavar="METRIC<VALUE[,...]", help=f"Fail beyond these: {', '.join(budgets.METRICS)}.")
@plans.option
@options.store
@options.force
@options.as_json
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[Path, ...],
    runtimes: tuple[str, ...],
    threads: tuple[int, ...],
    batches: tuple[int, ...],
    rounds: int | None,
    processes: int | None,
    minutes: float,
    quick: bool,
    is_generated: bool,
    mlperf_s: float,
    baseline: Path | None,
    threshold: float,
    budget: str | None,
    is_dry: bool,
    store: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure load time, first inference, latency, peak memory and size of the artifacts at or below PATHS.

    Then where operators ran, the arithmetic and bytes of a query, and how near that comes to what the machine itself
    was measured to reach; --quick leaves these out.

    Every process is fresh; what was measured before and has not changed is not measured again. With a baseline, two
    artifacts take turns and nothing is written; a machine that cannot tell one from itself gives no verdict.
    """
    from isoform.cli.console import Display
    from isoform.stages.ceilings import Ceilings

    rows = [registry.runtime(name) for name in runtimes]
    folders = artifacts.folders(paths)
    limits = budgets.parse(budget) if budget else ()
    if baseline is not None and limits:
        raise UsageError("--budget holds what --baseline does not measure.", "Give them to two commands.")
    if is_generated:
        _require_loadgen(baseline)
    if is_dry:
        plans.show_runs("bench", [run for folder in folders for run in _runs(folder, rows)], as_json)
        context.exit(0)
    if baseline is not None and len(batches) > 1:
        raise UsageError("--baseline takes one batch.", "Give a command to each batch.")
    cache = stores.opened(store)
    with Display() as display:
        if baseline is not None:
            chosen = _turns(threads, batches[0], processes, quick, threshold)
            entries = [entry for folder in folders for entry in _compared(folder, baseline, rows, chosen, display)]
            if not any(entry["baseline"] for entry in entries):
                raise UsageError(f"{baseline}: nothing that these artifacts could be held against.", "See its folders.")
        else:
            runs = [run for folder in folders for run in _runs(folder, rows)]
            measured = [_options(threads, batch, rounds, processes, quick) for batch in batches]
            allotment = None if quick or processes else Allotment(60 * minutes, len(runs) * len(batches))
            bencher = _Bencher(
                measured, force, limits, display, Ceilings(), allotment, mlperf_s if is_generated else None, cache
            )
            found = {run: bencher.entries(*run) for run in sorted(runs, key=_start_up)}
            entries = [entry for run in runs for entry in found[run]]
    if as_json:
        options.print_json(entries)
    if any(entry["error"] for entry in entries):
        context.exit(IsoformError.exit_code)
    is_slower = any(each["verdict"] == comparison.SLOWER for entry in entries for each in entry.get("comparisons", ()))
    context.exit(RESULT_FAILED if is_slower or any(entry.get("over_budget") for entry in entries) else 0)


def _require_loadgen(baseline: Path | None) -> None:
    from isoform.stages.mlperf import require

    if baseline is not None:
        raise UsageError("--mlperf does not take turns with a baseline.", "Give them to two commands.")
    require()


def _options(
    threads: tuple[int, ...], batch: int, rounds: int | None, processes: int | None, quick: bool
) -> BenchOptions:
    chosen = (
        {"processes": 2, "warmup_s": 0.2, "warmup_limit_s": 1.0, "timed_limit_s": 1.0}
        if quick
        else {"is_detailed": True}
    )
    given = {"threads": threads or None, "batch": batch, "rounds": rounds, "processes": processes}
    return BenchOptions(**{**chosen, **{key: value for key, value in given.items() if value is not None}})  # type: ignore[arg-type]


def _turns(
    threads: tuple[int, ...], batch: int, processes: int | None, quick: bool, threshold: float
) -> comparison.CompareOptions:
    brief = {"groups": 6, "most_groups": 6, "blocks": 10, "warmup_s": 0.2, "warmup_limit_s": 1.0} if quick else {}
    counted = {"groups": processes, "most_groups": 3 * processes} if processes else {}
    chosen = {"batch": batch, "threshold": threshold, **({"threads": threads} if threads else {})}
    return comparison.CompareOptions(**{**brief, **counted, **chosen})  # type: ignore[arg-type]


def _runs(folder: Path, rows: list[registry.Runtime]) -> list[tuple[Path, registry.Runtime]]:
    """Return the runtimes that an artifact is measured on: of those asked for the ones that open it, else its own."""
    name = open_artifact(folder).format
    wanted = rows or [registry.runtime(FORMATS[name].runtime)]
    return [(folder, row) for row in wanted if name in row.formats]


def _start_up(run: tuple[Path, registry.Runtime]) -> int:
    """Return a number that is higher where a process starts slowly: those come last and have what others leave over."""
    extra = run[1].extra
    return _SLOW_TO_START.index(extra) + 1 if extra in _SLOW_TO_START else 0


@dataclass(frozen=True)
class _Bencher:
    """Measures artifacts at each batch, and shows what comes."""

    chosen: Sequence[BenchOptions]
    is_forced: bool
    limits: tuple[budgets.Limit, ...]
    display: Any
    ceilings: "Ceilings"
    allotment: Allotment | None
    mlperf_s: float | None
    cache: "Store | None"

    def entries(self, folder: Path, row: registry.Runtime) -> list[dict[str, Any]]:
        """Return the JSON of an artifact's records, or of the error in the place of one."""
        from isoform.isolation import Pool

        subject = f"{folder} {row.name}"
        records: list[BenchRecord] = []
        entries = []
        with Pool(folder.parent / ".logs") as pool:
            for chosen in self.chosen:
                try:
                    record, is_reused = self._record(folder, row, pool, chosen)
                except IsoformError as error:
                    self.display.line(subject, f"not measured: {error.what}")
                    entries.append({"path": str(folder), "runtime": row.name, "error": error.to_json()})
                    continue
                records.append(record)
                over = self._told(subject, record, is_reused)
                known = {"path": str(folder), "error": None, "reused": is_reused, "over_budget": over}
                entries.append({**known, **record.to_json()})
        for line in by_batch(records):
            self.display.console.print(f"{' ' * 9}{subject}: {line}")
        return entries

    def _record(self, folder: Path, row: registry.Runtime, pool: "Pool", chosen: BenchOptions) -> Any:
        from isoform.stages import bench

        self.display.step(f"{folder} {row.name}", f"measuring{_of_batch(chosen.batch)}")

        def on_progress(event: dict[str, Any]) -> None:
            self.display.now(
                f"measuring{_of_batch(chosen.batch)}: process {event['process']} of at most {event['processes']}, "
                f"threads {event['threads']}"
            )

        return bench.bench(
            folder, row, pool, chosen, is_forced=self.is_forced, on_progress=on_progress, ceilings=self.ceilings,
            limit_s=self.allotment.next_s() if self.allotment else None, mlperf_s=self.mlperf_s,
            cache=self.cache, on_hit=lambda told: self.display.line(f"{folder} {row.name}", told),
        )  # fmt: skip

    def _told(self, subject: str, record: BenchRecord, is_reused: bool) -> list[str]:
        """Print a record and return what is over the budget."""
        over = budgets.over(record, self.limits)
        word = "unchanged" if is_reused else "measured"
        self.display.line(subject, f"{word}{_of_batch(record.batch)}  {summary(record)}")
        for line in (*told(record), *over):
            self.display.console.print(f"{' ' * 9}{subject}: {line}")
        return over


def _compared(
    folder: Path, root: Path, rows: list[registry.Runtime], chosen: comparison.CompareOptions, display: Any
) -> list[dict[str, Any]]:
    from isoform.isolation import Pool
    from isoform.stages import bench, compare

    entries: list[dict[str, Any]] = []
    with Pool() as pool:
        for _, row in _runs(folder, rows):
            subject = f"{folder} {row.name}"
            before = compare.baseline_of(folder, root)
            known = {"path": str(folder), "baseline": str(before) if before else None, "runtime": row.name}
            if before is None:
                display.line(subject, f"new: {root} has none of this model, framework and format")
                entries.append({**known, "error": None, "comparisons": []})
                continue

            def on_progress(done: int, due: int, threads: int, subject: str = subject) -> None:
                if done < due:
                    display.step(subject, f"in turns with the baseline: {done + 1} of {due}, threads {threads}")

            try:
                artifact = open_artifact(folder)
                query = bench.prepare(cases.load(folder / CASES_NAME), artifact, chosen.batch)
                display.step(subject, f"in turns with {before}")
                other = compare.runtime_for(before, row)
                if other != row:
                    display.line(subject, f"the baseline runs on {other.name}")
                found = compare.Comparer(
                    open_artifact(before), artifact, query, row, pool, chosen, on_progress, other
                ).run()
            except IsoformError as error:
                display.line(subject, f"not compared: {error.what}")
                entries.append({**known, "error": error.to_json()})
                continue
            for each in found:
                display.line(subject, str(each))
            entries.append({**known, "error": None, "comparisons": [each.to_json() for each in found]})
    return entries


def told(record: BenchRecord) -> list[str]:
    """Return what a record tells beyond latency, a line for each thing."""
    lines = [_placed(record.details["placement"])] if "placement" in record.details else []
    counted = record.details.get("work")
    if counted is not None and not counted["is_known"]:
        lines.append(f"arithmetic not counted: {counted['reason']}")
    elif counted is not None:
        missing = f", without {len(counted['unknown'])} layers of open size" if counted["unknown"] else ""
        least, most = (f"{counted[name] / 1e6:.3g}" for name in ("fewest_bytes", "most_bytes"))
        lines.append(f"{counted['flops'] / 1e6:.4g} MFLOP and {least} to {most} MB a query{missing}")
    for timing in record.timings:
        found = record.roofline(timing)
        if found is not None:
            lines.append(
                f"{found['achieved_flops_per_s'] / 1e9:.3g} GFLOP/s on {timing.threads} "
                f"thread{'s' * (timing.threads != 1)}, {100 * found['share']:.0f} % of what {found['bound']} allows"
            )
    return [*lines, *mlperf.told(record.details.get(mlperf.NAME, {}))]


def _placed(record: Mapping[str, Any]) -> str:
    if not record["is_known"]:
        return f"placement not told: {record['reason']}"
    found = record["summary"]
    count = record["partitions"]
    pieces = "" if count is None else f" in {count} piece{'s' * (count != 1)}"
    there = found["nodes"] - found["off_target"] - found["not_told"]
    lines = [f"{there} of {found['nodes']} operators on {record['target']}{pieces}"]
    for name, words in _SHARES.items():
        if found[name]:
            lines.append(f"{100 * found[name]:.3g} % of arithmetic {words}")
    inserted = ", ".join(f"{count} {kind}" for kind, count in found["inserted"].items() if count)
    return "; ".join([*lines, *([f"put in by the runtime: {inserted}"] if inserted else [])])


def by_batch(records: Sequence[BenchRecord]) -> list[str]:
    """Return samples a second by batch, a line for each number of threads; none where there is one batch only."""
    counts = dict.fromkeys(timing.threads for record in records for timing in record.timings)
    return [_rates(records, threads) for threads in counts] if len(records) > 1 else []


def _rates(records: Sequence[BenchRecord], threads: int) -> str:
    found = [
        f"batch {record.batch} {rate[0]:,.{0 if rate[0] >= 100 else 2}f}"
        for record in records
        for timing in record.timings
        if timing.threads == threads and (rate := record.throughput(timing)) is not None
    ]
    return f"samples a second on {threads} thread{'s' * (threads != 1)}: {', '.join(found)}"


def _of_batch(batch: int) -> str:
    return f" batch {batch}" if batch > 1 else ""


def summary(record: BenchRecord) -> str:
    """Return the figures of a record on one line."""
    times = "  ".join(
        f"p50 {timing.median_ns / 1e6:.3f} ms on {timing.threads} thread{'s' * (timing.threads != 1)}"
        for timing in record.timings
    )
    first = record.timings[0]
    count = len(first.processes)
    return (
        f"{times}  of {count} process{'es' * (count != 1)}  with copies {first.run_ns / 1e6:.3f} ms  "
        f"load {first.load_ns / 1e6:.0f} ms  first {first.first_ns / 1e6:.1f} ms  "
        f"peak {first.peak_rss_bytes / 2**20:.0f} MiB  size {record.size_bytes / 1e6:.2f} MB"
    )
