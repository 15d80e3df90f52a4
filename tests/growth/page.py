"""docs/scale.md from the rows: throughput, memory, and what a million models would take by the same figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MILLION = 1_000_000
DAY_S = 86_400
JOBS_A_FILE = 10_000

_HEAD = """# What many conversions take

`make growth` converts {count} generated models, dense networks of one to four layers, each another one, from ONNX to
TFLite, and proves each of them (`isoform convert --batch`): in threads of one process, and on worker processes
(`--scheduler local`); one thread or worker, which gives the rate alone, does a fifth. `make growth COUNT=50` is a
trial. Small models are the case in which everything around a conversion weighs most. The rows are in `scale.json`.

{machine}, {date}; load {load[0]:.1f} before and {load[1]:.1f} after.

| run | models | models/s | efficiency | processor s each | first (s) | command (MB) | worker (MB) | children (MB) |
|---|---|---|---|---|---|---|---|---|
"""

_MIDDLE = """
Models a second are counted from the first result to the last. Efficiency is against as many times one of the same
kind. Memory is the most that was resident: of the command itself, of one worker without its children, and of the
children of one process together.

## The command's own memory

| run | at 10 % (MB) | at 50 % (MB) | at the end (MB) | a job (kB) |
|---|---|---|---|---|
"""

_PLAN = """
The last column is the slope of a line through all samples after the first tenth.

## A million, on paper

From the row *{label}*, for models like these:

- **Work**: {core_hours:,.0f} hours of one such processor ({busy_s:.2f} s a model).
- **In a day**: {day_workers:.0f} workers, at {per_worker:.2f} models a second each.
- **Memory**: {worker_mb:,.0f} MB for each worker with its children.
- **Command**: {parent_mb:.0f} MB, and {slope_kb:.1f} kB a job: {files} files of {jobs_a_file:,} jobs, one after the
  other, hold at most {file_mb:,.0f} MB. Each can be run again by itself.
- **Disk**: {disk_gb:,.0f} GB of results ({result_kb:.0f} kB a model: file, record, cases).
- **Lost by a machine that goes**: what its workers were at, {lost_s:.1f} s of work each.

What this leaves out: a file system that {day_workers:.0f} workers write {per_s:.0f} results a second to, models
that are larger, and machines that are not alike. None of it was run.
"""


def rendered(found: Mapping[str, Any]) -> str:
    """Return the page."""
    rows = found["rows"]
    head = _HEAD.format(**{name: found[name] for name in ("count", "machine", "date", "load")})
    best = max(rows, key=lambda row: (row["label"].startswith("workers"), row["workers"]))
    table = "\n".join(_row(row, rows) for row in rows)
    memory = "\n".join(_memory(row) for row in rows)
    return f"{head}{table}\n{_MIDDLE}{memory}\n{_PLAN.format(**plan(best))}"


def plan(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a million models, from one row's."""
    per_worker = per_s(row) / row["workers"]
    day_workers = np.ceil(MILLION / DAY_S / per_worker)
    busy_s = row["busy_s"] / row["jobs"]
    held = row["worker_bytes"] + row["children_bytes"]
    parent = max(size for _, size in row["parent"])
    slope = max(0.0, slope_bytes(row["parent"], row["jobs"]))
    return {
        "label": row["label"], "busy_s": busy_s, "core_hours": MILLION * busy_s / 3600, "per_worker": per_worker,
        "day_workers": day_workers, "per_s": MILLION / DAY_S, "worker_mb": held / 1e6,
        "parent_mb": parent / 1e6, "slope_kb": slope / 1e3, "files": MILLION // JOBS_A_FILE,
        "jobs_a_file": JOBS_A_FILE, "file_mb": (parent + slope * max(0, JOBS_A_FILE - row["jobs"])) / 1e6,
        "result_kb": row["result_bytes"] / row["jobs"] / 1e3,
        "disk_gb": MILLION * row["result_bytes"] / row["jobs"] / 1e9,
        "lost_s": 1 / per_worker,
    }  # fmt: skip


def per_s(row: Mapping[str, Any]) -> float:
    """Return models a second, from the first result to the last."""
    return float((row["jobs"] - 1) / row["seconds"])


def efficiency(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> float:
    """Return the throughput as a part of as many times that of one of the same kind."""
    kind = row["label"].partition(",")[0]
    alone = next(each for each in rows if each["label"] == f"{kind}, 1")
    return per_s(row) / (row["workers"] * per_s(alone))


def slope_bytes(samples: Sequence[tuple[int, int]], jobs: int) -> float:
    """Return by how much memory grows with a job, after the first tenth of them; 0 where too little was seen."""
    later = [(done, size) for done, size in samples if done >= jobs / 10]
    if len({done for done, _ in later}) < 2:
        return 0.0
    return float(np.polyfit(*zip(*later, strict=True), 1)[0])


def _row(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    worker = f"{row['worker_bytes'] / 1e6:.0f}" if row["worker_bytes"] else ""
    parent = max(size for _, size in row["parent"])
    rates = f"{per_s(row):.2f} | {efficiency(row, rows):.0%} | {row['busy_s'] / row['jobs']:.2f}"
    held = f"{parent / 1e6:.0f} | {worker} | {row['children_bytes'] / 1e6:.0f}"
    return f"| {row['label']} | {row['jobs']} | {rates} | {row['start_s']:.1f} | {held} |"


def _memory(row: Mapping[str, Any]) -> str:
    samples = row["parent"]
    cells = [
        next((size for done, size in samples if done >= part * row["jobs"]), samples[-1][1]) / 1e6
        for part in (0.1, 0.5, 1.0)
    ]
    slope = slope_bytes(samples, row["jobs"])
    return f"| {row['label']} | {' | '.join(f'{cell:.1f}' for cell in cells)} | {slope / 1e3:.1f} |"
