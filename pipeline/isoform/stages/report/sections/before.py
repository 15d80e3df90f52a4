"""Two runs side by side: what is better, what is worse, and what may not be compared."""

from collections.abc import Sequence

from isoform.stages.report.change import GONE, NEW, Change, worst_bits
from isoform.stages.report.charts.bars import Ratio, ratios
from isoform.stages.report.collect import Entry
from isoform.stages.report.section import Figure, Group, Section
from isoform.stages.report.sheet import Column, Sheet
from isoform.stages.report.text import figure_text, size_text, time_text

MOST = 60
_LEAD = (
    "Worse first. Bits count from a difference of two, sizes from 1 %. A latency is called different only where both "
    "were timed in turns; two figures of different days are shown and not compared."
)


def _bits(bits: float | None) -> str:
    return figure_text(bits, ".1f")


def _size(size_bytes: int | None) -> str:
    return "–" if size_bytes is None else size_text(size_bytes)


_COLUMNS = (
    Column("model", "Model"), Column("export", "Export"), Column("told", "What changed"),
    Column("verdict_before", "Before"), Column("verdict_after", "After"),
    Column("lost_bits_before", "Bits lost before", _bits, is_number=True),
    Column("lost_bits_after", "after", _bits, is_number=True),
    Column("size_bytes_before", "Size before", _size, is_number=True),
    Column("size_bytes_after", "after", _size, is_number=True),
    Column("latency", "Latency"),
)  # fmt: skip
_OF_TURNS = (
    Column("export", "Export"), Column("runtime", "Runtime"), Column("threads", "Threads", is_number=True),
    Column("word", "In turns"), Column("ratio", "After / before", lambda ratio: f"{ratio:.3f}", is_number=True),
    Column("low", "From", lambda end: figure_text(end, ".3f"), is_number=True),
    Column("high", "To", lambda end: figure_text(end, ".3f"), is_number=True),
)  # fmt: skip


def section(found: Sequence[Change]) -> Section:
    """Return the table of what changed, a chart of what was timed in turns, and the figures of all exports."""
    changed = [change for change in found if change.status or change.worse or change.better]
    table = Sheet("changed", "What changed", _COLUMNS[:-1], tuple(_line(change)[:-1] for change in changed))
    every = Sheet("before-after", "All exports of both runs", _COLUMNS, tuple(map(_line, found)))
    figures = [chart] if (chart := _chart(found)) else []
    groups = (Group("", (*figures, Figure(every.title, "", every))),)
    lead = f"{_counts(found)} {_LEAD}"
    return Section("before", "Before and after", "Before and after", lead, groups, table if changed else None)


def _line(change: Change) -> tuple[object, ...]:
    before, after, entry = change.before, change.after, change.entry
    return (
        entry.name, entry.label, _told(change),
        before.verdict if before else None, after.verdict if after else None,
        worst_bits(before) if before else None, worst_bits(after) if after else None,
        _bytes(before), _bytes(after), _latency(change),
    )  # fmt: skip


def _told(change: Change) -> str:
    if change.status:
        return change.status
    parts = [f"worse: {each}" for each in change.worse] + [f"better: {each}" for each in change.better]
    return "; ".join(parts) or "nothing that counts"


def _latency(change: Change) -> str:
    if change.turns:
        return "; ".join(
            f"{turns.word}, × {turns.ratio:.3f}"
            f"{f' ({turns.interval[0]:.3f} to {turns.interval[1]:.3f})' if turns.interval else ''}"
            f" on {turns.runtime}, threads: {turns.threads}"
            for turns in change.turns
        )
    figures = [_figure(entry) for entry in (change.before, change.after) if entry is not None]
    if not any(figures):
        return "not measured"
    shown = ", then ".join(figure or "not measured" for figure in figures)
    return f"{shown}: different days, not comparable" if len(figures) == 2 else shown


def _figure(entry: Entry) -> str:
    timings = [timing for record in entry.measured for timing in record.timings]
    return time_text(timings[0].median_ns) if timings else ""


def _bytes(entry: Entry | None) -> int | None:
    return entry.size_bytes if entry is not None and entry.is_published else None


def _chart(found: Sequence[Change]) -> Figure | None:
    timed = [(change, turns) for change in found for turns in change.turns]
    if not timed:
        return None
    rows = [
        Ratio(
            f"{change.entry.name} {change.entry.label}, threads: {turns.threads}", turns.ratio,
            turns.interval or (turns.ratio, turns.ratio), turns.word, change.entry.place,
        )
        for change, turns in timed[:MOST]
    ]  # fmt: skip
    lines = tuple(
        (
            f"{change.entry.name} {change.entry.label}", turns.runtime, turns.threads, turns.word, turns.ratio,
            *(turns.interval or (None, None)),
        )
        for change, turns in timed
    )  # fmt: skip
    title = "Latency after / before, timed in turns"
    words = [turns.word for _, turns in timed]
    told = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    drawing = ratios(
        "turns", rows, timed[0][1].threshold, title, f"{told}. The figures are in the table below.",
        "latency after / before, in turns",
    )  # fmt: skip
    return Figure(title, drawing, Sheet("turns", title, _OF_TURNS, lines))


def _counts(found: Sequence[Change]) -> str:
    counted = {
        "worse": sum(bool(change.worse) for change in found), "better": sum(bool(change.better) for change in found),
        NEW: sum(change.status == NEW for change in found), GONE: sum(change.status == GONE for change in found),
    }  # fmt: skip
    return f"Of {len(found)} exports, {', '.join(f'{count} {word}' for word, count in counted.items())}."
