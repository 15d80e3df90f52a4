"""docs/results.md from its rows, and one line a row while they come."""

from collections.abc import Iterable, Mapping
from typing import Any

from results.edge import LIMIT

Row = Mapping[str, Any]
_HEAD = """# Results

What the reference models cost and keep. The rows are in `results.json`.
"""
_REFERENCE = """
## The reference artifacts

`make bench`: `isoform bench` with its default protocol, batch 1, on each format's own runtime; the median of the
medians of fresh processes, and its 95 % interval over them. *Of the roof* is the arithmetic done in a second, against
what memory and matrix products of this very machine allow ([measuring](measuring.md)). Rows were not taken in turns.

{machine}; {date}; load {load[0]:.1f} to {load[1]:.1f} while measured.

"""
_EDGE = """
## For phones and boards

`make edge`: each artifact is exported, proved, and timed in turns with another one: a smaller precision with float32 of
its format, another format with ONNX on ONNX Runtime; one thread, six groups of processes, up to 18 where the machine is
not fit before. Size is against the same one; of eight bits it should be {limit:.2f} at most. *Decisions* is gate 4, on
samples of the task. *Machine unfit*: the other one could not be told to be the same as itself.

{machine}; {date}; load {load[0]:.1f} before and {load[1]:.1f} after.

"""
_KEPT = """
Kept in float32, because the search found that too many decisions change otherwise:

"""
_TITLES = {
    "reference": (
        "artifact", "verdict", "bits lost", "size (MB)", "load (ms)", "first (ms)", "peak (MB)", "p50, 1 thread (ms)",
        "of the roof", "p50, all cores (ms)",
    ),
    "edge": (
        "artifact", "verdict", "decisions that agree", "size (MB)", "size over the other's", "p50 (ms)", "against",
        "time over the other's", "",
    ),
}  # fmt: skip


def rendered(found: Mapping[str, Any]) -> str:
    """Return the page."""
    parts = [_HEAD]
    if "reference" in found:
        section = found["reference"]
        loads = [load for row in section["rows"] for timing in row["timings"] for load in timing["load"] if load]
        seen = [min(loads, default=0.0), max(loads, default=0.0)]
        parts += [_REFERENCE.format(**{**section, "load": seen}), _table("reference", section["rows"])]
    if "edge" in found:
        section = found["edge"]
        parts += [_EDGE.format(limit=LIMIT, **section), _table("edge", section["rows"])]
        kept = [f"- `{row['name']}`: {', '.join(row['kept'])}\n" for row in section["rows"] if row.get("kept")]
        parts += [_KEPT, *kept] if kept else []
    return "".join(parts)


def line(section: str, row: Row) -> str:
    """Return a row as it is printed while rows come."""
    return " | ".join(_CELLS[section](row))


def _table(section: str, rows: Iterable[Row]) -> str:
    head = f"| {' | '.join(_TITLES[section])} |\n{'|---' * len(_TITLES[section])}|\n"
    return head + "".join(f"| {line(section, row)} |\n" for row in rows)


def _reference(row: Row) -> list[str]:
    lost = "" if row["lost_bits"] is None else f"{row['lost_bits']:.1f}"
    cells = [row["name"], row["verdict"], lost, f"{row['size_bytes'] / 1e6:.3g}"]
    if not row["timings"]:
        return [*cells, *["not measured"] * 3, "", "", ""]
    one, *others = row["timings"]
    roof = "" if one["of_roof"] is None else f"{100 * one['of_roof']:.0f} %"
    cells += [f"{row['load_ns'] / 1e6:.3g}", f"{row['first_ns'] / 1e6:.3g}", f"{row['peak_rss_bytes'] / 1e6:.0f}"]
    return [*cells, _time(one), roof, _time(others[-1]) if others else ""]


def _time(timing: Row) -> str:
    told = f"{timing['p50_ns'] / 1e6:.3g}"
    if timing["interval_ns"] is None:
        return f"{told} (of {timing['processes']})"
    low, high = (bound / 1e6 for bound in timing["interval_ns"])
    return f"{told} ({low:.3g} to {high:.3g})"


def _edge(row: Row) -> list[str]:
    if "verdict" not in row:
        return [row["name"], "ERROR", row["error"], "", "", "", row["against"], "", ""]
    beyond = " **beyond**" if "int8" in row["precision"] and row["share"] > LIMIT else ""
    cells = [
        row["name"],
        row["verdict"],
        row["decisions"],
        f"{row['size_bytes'] / 1e6:.3g}",
        f"{row['share']:.3f}{beyond}",
    ]
    if "ratio" not in row:
        return [*cells, "", row["against"], row["error"], ""]
    low, high = row["interval"]
    return [
        *cells,
        f"{row['p50_ns'] / 1e6:.3g}",
        row["against"],
        f"{row['ratio']:.2f} ({low:.2f} to {high:.2f})",
        row["word"],
    ]


_CELLS = {"reference": _reference, "edge": _edge}
