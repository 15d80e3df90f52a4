"""The figures as text: one line a row while they come, and docs/figures.md."""

import math
from collections.abc import Mapping
from typing import Any

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
        "source loaded and the framework imported. Peers in words were measured once, by hand, with the same versions.",
    ]
    for name, section in sections.items():
        text += ["", f"## {name}", "", f"{section['machine']}; {section['date']}.", ""]
        text += _speed(section["rows"]) if name.endswith("-speed") else _costs(section["rows"])
    return "\n".join(text) + "\n"


def _costs(rows: list[dict[str, Any]]) -> list[str]:
    titles = ["conversion", "seconds", "at most", "GB above", "at most", "copies of the weights", "best peer"]
    table = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in rows:
        if row["error"]:
            table.append(f"| {row['name']} | failed: {row['error']} | | | | | {_peer(row['peer'])} |")
            continue
        extra = row["peak_bytes"] - row["before_bytes"]
        copies = f"{extra / row['weights']:.2f}" if row["weights"] else ""
        limit_s = "" if row["limit_s"] is None else f"{row['limit_s']:g}"
        limit_bytes = "" if row["limit_bytes"] is None else f"{row['limit_bytes'] / GB:.2f}"
        table.append(
            f"| {row['name']} | {row['seconds']:.1f} | {limit_s} | {_gb(row)} | {limit_bytes} | {copies} "
            f"| {_peer(row['peer'])} |"
        )
    return table


def _speed(rows: list[dict[str, Any]]) -> list[str]:
    table = ["| model | peer (ms) | ours / peer | middle half of the blocks |", "|---|---|---|---|"]
    for row in rows:
        if "error" in row:
            table.append(f"| {row['name']} | | failed: {row['error']} | |")
            continue
        low, high = row["quartiles"]
        table.append(f"| {row['name']} | {row['peer_ms']:.2f} | {row['ratio']:.3f} | {low:.3f} to {high:.3f} |")
    ratios = [math.log(row["ratio"]) for row in rows if "ratio" in row]
    return [
        *table,
        "",
        f"Geometric mean of {len(ratios)}: {math.exp(sum(ratios) / len(ratios)):.3f}." if ratios else "",
    ]


def _gb(row: Mapping[str, Any]) -> str:
    return f"{(row['peak_bytes'] - row['before_bytes']) / GB:.2f}"


def _peer(peer: Any) -> str:
    if isinstance(peer, str):
        return peer
    if peer["error"]:
        return f"failed: {peer['error']}"
    return f"{peer['seconds']:.1f} s, {_gb(peer)} GB"
