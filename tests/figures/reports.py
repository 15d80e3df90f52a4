"""What ``isoform report`` costs as exports grow in number: processor seconds and bytes of the page.

Each export has been verified and measured with ten processes of a hundred queries on two numbers of threads.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import written_records
from isoform.stages.report import write

NAME = "report"
EXPORTS = (1, 24, 100, 500)
MODELS_SHARE = 8
"""Exports of one model: four formats from two frameworks."""
LIMIT_S = 10.0
LIMIT_BYTES = 20e6
FORMATS = ("onnx", "tflite", "savedmodel", "torchscript")


def report() -> Iterator[dict[str, Any]]:
    """Give one row for each number of exports."""
    for count in EXPORTS:
        with tempfile.TemporaryDirectory(prefix="figures.") as work:
            folder = Path(work)
            for number in range(count):
                _export(folder, number)
            before = time.process_time()
            write(folder, folder / "report.html")
            seconds = time.process_time() - before
            row = {"name": str(count), "cpu_seconds": seconds, "bytes": (folder / "report.html").stat().st_size}
        print(f"report of {count} exports: {seconds:.2f} processor seconds, {row['bytes'] / 1e6:.2f} MB", flush=True)
        yield row


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the rows as Markdown; the limits are those of the largest page."""
    lines = ["| exports | processor seconds | at most | MB | at most |", "|---|---|---|---|---|"]
    for row in rows:
        limits = (f"{LIMIT_S:.0f}", f"{LIMIT_BYTES / 1e6:.0f}") if row["name"] == str(max(EXPORTS)) else ("", "")
        lines.append(
            f"| {row['name']} | {row['cpu_seconds']:.2f} | {limits[0]} | {row['bytes'] / 1e6:.2f} | {limits[1]} |"
        )
    return lines


def _export(folder: Path, number: int) -> None:
    model, rest = divmod(number, MODELS_SHARE)
    framework, form = divmod(rest, len(FORMATS))
    name = f"model{model}"
    own = written_records.artifact(folder, name, FORMATS[form], "PASS", ("torch", "keras")[framework], place=name)
    medians = [1_000_000 + 10_000 * rest + 1_000 * process for process in range(10)]
    written_records.measured(own, *medians, threads=(1, 2), scatter=tuple(0.9 + 0.002 * query for query in range(100)))


SECTIONS = {NAME: report}
