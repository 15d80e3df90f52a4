"""``isoform bench``: what an artifact costs to run."""

from pathlib import Path
from typing import Any

import click

from isoform import registry
from isoform.cli import artifacts, options, plans
from isoform.core.artifact import open_artifact
from isoform.core.bench import BenchOptions, BenchRecord
from isoform.core.format import FORMATS
from isoform.errors import IsoformError


@click.command(
    epilog="Examples: isoform bench exports/mlp/torch/onnx --threads 1    isoform bench exports --quick --json"
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.runtimes
@click.option("--threads", multiple=True, type=click.IntRange(0), help="Threads, 0 for all cores; default: 1 and 0.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Samples in one query.")
@click.option("--rounds", type=click.IntRange(1), help="Timed queries in each process.")
@click.option("--processes", type=click.IntRange(1), help="Fresh processes for each number of threads.")
@click.option("--quick", is_flag=True, help="Two processes and a short warm-up: an impression, its interval wide.")
@plans.option
@options.force
@options.as_json
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[Path, ...],
    runtimes: tuple[str, ...],
    threads: tuple[int, ...],
    batch: int,
    rounds: int | None,
    processes: int | None,
    quick: bool,
    is_dry: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Measure load time, first inference, latency, peak memory and size of the artifacts at or below PATHS.

    Every process is fresh; what was measured before and has not changed is not measured again.
    """
    from isoform.cli.console import Display

    chosen = _options(threads, batch, rounds, processes, quick)
    rows = [registry.runtime(name) for name in runtimes]
    if is_dry:
        plans.show_runs("bench", [run for folder in artifacts.folders(paths) for run in _runs(folder, rows)], as_json)
        context.exit(0)
    with Display(is_quiet=as_json) as display:
        results = [_measured(folder, rows, chosen, force, display) for folder in artifacts.folders(paths)]
    if as_json:
        options.print_json([entry for group in results for entry in group])
    errors = [entry["error"] for group in results for entry in group if entry["error"]]
    context.exit(IsoformError.exit_code if errors else 0)


def _options(
    threads: tuple[int, ...], batch: int, rounds: int | None, processes: int | None, quick: bool
) -> BenchOptions:
    chosen = {"processes": 2, "warmup_s": 0.2, "warmup_limit_s": 1.0, "timed_limit_s": 1.0} if quick else {}
    given = {"threads": threads or None, "batch": batch, "rounds": rounds, "processes": processes}
    return BenchOptions(**{**chosen, **{key: value for key, value in given.items() if value is not None}})  # type: ignore[arg-type]


def _runs(folder: Path, rows: list[registry.Runtime]) -> list[tuple[Path, registry.Runtime]]:
    """Return the runtimes that an artifact is measured on: of those asked for the ones that open it, else its own."""
    name = open_artifact(folder).format
    wanted = rows or [registry.runtime(FORMATS[name].runtime)]
    return [(folder, row) for row in wanted if name in row.formats]


def _measured(
    folder: Path, rows: list[registry.Runtime], chosen: BenchOptions, force: bool, display: Any
) -> list[dict[str, Any]]:
    from isoform.isolation import Pool
    from isoform.stages import bench

    entries: list[dict[str, Any]] = []
    with Pool(folder.parent / ".logs") as pool:
        for _, row in _runs(folder, rows):
            subject = f"{folder} {row.name}"
            display.step(subject, "measuring")
            try:
                record, is_reused = bench.bench(folder, row, pool, chosen, is_forced=force)
            except IsoformError as error:
                display.line(subject, f"not measured: {error.what}")
                entries.append({"path": str(folder), "runtime": row.name, "error": error.to_json()})
                continue
            display.line(subject, f"{'unchanged' if is_reused else 'measured'}  {summary(record)}")
            entries.append({"path": str(folder), "error": None, "reused": is_reused, **record.to_json()})
    return entries


def summary(record: BenchRecord) -> str:
    """Return the figures of a record on one line."""
    times = "  ".join(
        f"p50 {timing.median_ns / 1e6:.3f} ms on {timing.threads} thread{'s' * (timing.threads != 1)}"
        for timing in record.timings
    )
    first = record.timings[0]
    return (
        f"{times}  load {first.load_ns / 1e6:.0f} ms  first {first.first_ns / 1e6:.1f} ms  "
        f"peak {first.peak_rss_bytes / 2**20:.0f} MiB  size {record.size_bytes / 1e6:.2f} MB"
    )
