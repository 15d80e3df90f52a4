"""The reference artifacts, from the records that ``isoform export`` and ``isoform bench`` left beside them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoform.core.bench import BenchRecord, Timing
from isoform.stages.report.collect import Entry, collect

FORMATS = ("onnx", "tflite", "torchscript", "savedmodel")


def rows(out: Path) -> Iterator[dict[str, Any]]:
    """Give a row for each float32 artifact of these formats: what was proved, and what it costs on its own runtime."""
    for entry in collect(out).entries:
        if entry.is_published and entry.format in FORMATS and not entry.is_reduced:
            yield _row(entry)


def _row(entry: Entry) -> dict[str, Any]:
    row = {
        "name": f"{entry.name}/{entry.framework}/{entry.format}", "verdict": entry.verdict,
        "lost_bits": max((lost for name in entry.parity if (lost := entry.lost_bits(name)) is not None), default=None),
        "size_bytes": entry.size_bytes, "timings": [],
    }  # fmt: skip
    measured = [each for each in entry.measured if each.batch == 1]
    if not measured:
        return row
    one_thread = measured[0].timings[0]
    return row | {
        "load_ns": one_thread.load_ns, "first_ns": one_thread.first_ns, "peak_rss_bytes": one_thread.peak_rss_bytes,
        "timings": [_timing(measured[0], each) for each in measured[0].timings],
    }  # fmt: skip


def _timing(measured: BenchRecord, timing: Timing) -> dict[str, Any]:
    found = measured.roofline(timing)
    return {
        "threads": timing.threads, "processes": len(timing.processes), "p50_ns": timing.median_ns,
        "interval_ns": timing.interval_ns, "of_roof": found["share"] if found else None,
        "load": [timing.load_before, timing.load_after],
    }  # fmt: skip
