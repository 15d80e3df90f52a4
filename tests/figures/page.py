"""The figures as text: one line a row while they come, and docs/figures.md."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from figures import convert, peers, reports, serve, speed

GB = 1e9


def line(entry: Mapping[str, Any]) -> str:
    """Return one measured row as text."""
    if entry["error"]:
        return f"{entry['name']}: FAILED ({entry['error']})"
    return f"{entry['name']}: {entry['seconds']:.1f} s, {_gb(entry)} GB above {entry['before_bytes'] / GB:.1f} GB"


def rendered(sections: Mapping[str, Any]) -> str:
    """Return docs/figures.md."""
    text = [
        "# Figures",
        "",
        "Written by `make figures`; `make figures SECTIONS=applications` measures one section again. Each",
        "conversion ran in a fresh interpreter; memory is the peak while it ran above what the process held with the",
        "source loaded and the framework imported; seconds on processors are those of all its threads, to which other",
        "load on the machine adds little. Peers in words were measured once, by hand, with the same versions.",
    ]
    for name, section in sections.items():
        text += ["", f"## {name}", "", f"{section['machine']}; {section['date']}.", ""]
        text += _table(name, section["rows"])
    return "\n".join(text) + "\n"


def _table(section: str, rows: list[dict[str, Any]]) -> list[str]:
    sections = (convert, peers, reports, serve)
    tables = {each.NAME: each.table for each in sections}
    if section in tables:
        return tables[section](rows)
    return _speed(rows) if section in speed.SECTIONS else _costs(rows)


def _costs(rows: list[dict[str, Any]]) -> list[str]:
    titles = [
        "conversion",
        "seconds",
        "on processors",
        "at most",
        "GB above",
        "at most",
        "copies of the weights",
        "best peer",
    ]
    table = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in rows:
        if row["error"]:
            table.append(f"| {row['name']} | failed: {row['error']} | | | | | | {_peer(row['peer'])} |")
            continue
        extra = row["peak_bytes"] - row["before_bytes"]
        copies = f"{extra / row['weights']:.2f}" if row["weights"] else ""
        busy = f"{row['busy_s']:.1f}" if "busy_s" in row else ""
        limit_s = "" if row["limit_s"] is None else f"{row['limit_s']:g}"
        limit_bytes = "" if row["limit_bytes"] is None else f"{row['limit_bytes'] / GB:.2f}"
        table.append(
            f"| {row['name']} | {row['seconds']:.1f} | {busy} | {limit_s} | {_gb(row)} | {limit_bytes} "
            f"| {copies} | {_peer(row['peer'])} |"
        )
    return table


def _speed(rows: list[dict[str, Any]]) -> list[str]:
    columns = {title: cell for title, (key, cell) in COLUMNS.items() if any(key in row for row in rows)}
    table = [f"| model | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for row in rows:
        cells = [f"failed: {row['error']}"] if "error" in row else [cell(row) for cell in columns.values()]
        table.append(f"| {row['name']} | {' | '.join(cells)} |")
    ratios = [math.log(row["ratio"]) for row in rows if "ratio" in row]
    return [
        *table,
        "",
        f"Geometric mean of {len(ratios)}: {math.exp(sum(ratios) / len(ratios)):.3f}." if ratios else "",
    ]


COLUMNS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "peer (ms)": ("peer_ms", lambda row: f"{row['peer_ms']:.2f}"),
    "ours / peer": ("ratio", lambda row: f"{row['ratio']:.3f}"),
    "middle half of the blocks": ("quartiles", lambda row: "{:.3f} to {:.3f}".format(*row["quartiles"])),
    "at most": ("limit", lambda row: f"{row['limit']:g}"),
    "operators": ("operators", lambda row: str(row["operators"])),
    "peer's": ("operators", lambda row: str(row["peer_operators"])),
    "MB": ("bytes", lambda row: f"{row['bytes'] / 1e6:.2f}"),
    "peer's MB": ("bytes", lambda row: f"{row['peer_bytes'] / 1e6:.2f}"),
}
"""The columns of a comparison: title, the key without which no row has it, and the text of a cell."""


def _gb(row: Mapping[str, Any]) -> str:
    return f"{(row['peak_bytes'] - row['before_bytes']) / GB:.2f}"


def _peer(peer: Any) -> str:
    if isinstance(peer, str):
        return peer
    if peer["error"]:
        return f"failed: {peer['error']}"
    return f"{peer['seconds']:.1f} s, {_gb(peer)} GB"
