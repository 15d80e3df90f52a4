"""docs/zoo.md from the rows: totals, a table a family, the failures by cause, and speed beside the peer."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from zoo.causes import DIFFERS, grouped
from zoo.entry import FAMILIES, Entry
from zoo.results import Results
from zoo.run import TARGETS

GIB = 2**30


def rendered(results: Results, entries: Mapping[str, Entry]) -> str:
    """Return the page; rows of architectures that are not in the zoo any more are left out."""
    rows = [row for row in results.conversions.values() if row["model"] in entries]
    text = [
        "# The zoo",
        "",
        f"{len({row['model'] for row in rows})} public architectures with seeded random weights, no constant among",
        "them, from PyTorch (timm, torchvision, transformers, diffusers) and Keras to every format, with a dynamic",
        "batch, and a dynamic length where the architecture has one. A pair passes if the format's own runtime",
        "computes the numbers of the source, at other sizes too; WARN passes: weights and function are proved, the",
        "runtime is less exact. Small variants, or few layers. Written by `make zoo`;",
        f"the rows are in zoo.json. {results.about.get('machine', '')}; {results.about.get('date', '')}.",
        "",
        *_totals(rows),
    ]
    for family in FAMILIES:
        mine = [row for row in rows if row["family"] == family]
        if mine:
            text += ["", f"## {family.capitalize()}", "", *_family(mine)]
    text += ["", "## What does not pass, by cause", "", *_failures(rows)]
    return "\n".join([*text, "", *_speed(results, entries)]).rstrip() + "\n"


def _totals(rows: list[dict[str, Any]]) -> list[str]:
    table = ["| target | pairs | pass | % | refused or not possible | numbers differ |", "|---|---|---|---|---|---|"]
    for target in (*TARGETS, "all"):
        mine = [row for row in rows if target in (row["target"], "all")]
        failed = [row for row in mine if row["status"] != "passed"]
        passed, differ = len(mine) - len(failed), sum(row["verdict"] in DIFFERS for row in failed)
        share = f"{100 * passed / len(mine):.1f}" if mine else ""
        refused = len(failed) - differ
        table.append(f"| {target} | {len(mine)} | {passed} | {share} | {refused} | {differ} |")
    return table


def _family(rows: list[dict[str, Any]]) -> list[str]:
    table = [
        f"| architecture | from | {' | '.join(TARGETS)} | seconds | peak, GiB | TFLite operators | transposes |",
        "|---" * (6 + len(TARGETS)) + "|",
    ]
    for model in dict.fromkeys(row["model"] for row in rows):
        mine = {row["target"]: row for row in rows if row["model"] == model}
        cells = [_verdict(mine[target]) if target in mine else "not run" for target in TARGETS]
        seconds = sum(row.get("seconds", 0) for row in mine.values())
        peak = max(row.get("peak_bytes", 0) for row in mine.values()) / GIB
        file = mine.get("tflite", {})
        table.append(
            f"| {model} | {next(iter(mine.values()))['framework']} | {' | '.join(cells)} | {seconds:.0f} | {peak:.1f} "
            f"| {file.get('operators', '')} | {file.get('transposes', '')} |"
        )
    return table


def _verdict(row: dict[str, Any]) -> str:
    if row["status"] == "passed":
        return str(row["verdict"])
    return "differs" if row["verdict"] in DIFFERS else f"no ({row.get('kind', 'failed')})"


def _failures(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for cause, mine in grouped(rows):
        pairs = ", ".join(f"{row['model']} ({row['target']})" for row in mine)
        lines.append(
            f"- **{_plain(cause)}** {len(mine)}: {pairs}. For example: {_plain(mine[0].get('error', ''))[:300]}"
        )
    return lines or ["Nothing."]


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "/").replace("*", "\\*").split())


def _speed(results: Results, entries: Mapping[str, Entry]) -> list[str]:
    rows = [row for name, row in sorted(results.speed.items()) if name in entries]
    if not rows:
        return []
    text = [
        "## TFLite on one thread, beside litert-torch",
        "",
        "Milliseconds a call of LiteRT at batch 1, our file and litert-torch's of the same network in alternating",
        "blocks. Ours has a dynamic batch (and length), litert-torch's static shapes. Seconds are of ONNX -> TFLite",
        "and of litert-torch's conversion, imports and loading left out.",
        "",
        "| architecture | ms | ours / peer | middle half | s | peer's | operators | peer's | transposes | peer's |",
        "|---" * 10 + "|",
    ]
    text += [_timed(row) for row in rows]
    ratios = [math.log(row["ratio"]) for row in rows if "ratio" in row]
    if ratios:
        mean = math.exp(sum(ratios) / len(ratios))
        text += ["", f"Geometric mean of {len(ratios)}: {mean:.3f}; the worst is {math.exp(max(ratios)):.2f}."]
    return text + _beside(row for row in rows if "seconds" in row.get("peer", {}) and "seconds" in row)


def _beside(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return what holds of all conversions that the peer carries, too."""
    pairs = [(row, row["peer"]) for row in rows]
    if not pairs:
        return []
    share = max(ours["seconds"] / peer["seconds"] for ours, peer in pairs)
    more = [ours["model"] for ours, peer in pairs if ours["transposes"] > peer["transposes"]]
    return [f"A conversion takes at most {share:.2f} of the peer's time. More transposes: {', '.join(more) or 'none'}."]


def _timed(row: dict[str, Any]) -> str:
    if row.get("error"):
        return f"| {row['model']} | | not timed: {_plain(row['error'])[:120]} | | | | | | | |"
    peer, low_high = row.get("peer", {}), row.get("quartiles")
    ratio = f"{row['ratio']:.3f}" if "ratio" in row else _plain(peer.get("error", ""))[:100]
    middle = f"{low_high[0]:.3f} to {low_high[1]:.3f}" if low_high else ""
    told = [
        f"{peer['seconds']:.1f}" if "seconds" in peer else "",
        peer.get("operators", ""),
        peer.get("transposes", ""),
    ]
    return (
        f"| {row['model']} | {row['ms']:.2f} | {ratio} | {middle} | {row.get('seconds', '')} | {told[0]} "
        f"| {row['operators']} | {told[1]} | {row['transposes']} | {told[2]} |"
    )
