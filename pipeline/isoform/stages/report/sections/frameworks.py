"""PyTorch against TensorFlow: the usual claims, each graph mode, and the tools that deploy what was exported."""

from collections.abc import Sequence

from isoform.core.comparison import FASTER, SAME, SLOWER, Comparison
from isoform.core.frameworks import CLAIMS, FRAMEWORKS, THRESHOLD, Compared, outcomes
from isoform.core.statistics import median
from isoform.stages.report.charts.bars import Ratio, ratios
from isoform.stages.report.charts.scatter import Ground, Point, Scale, scatter
from isoform.stages.report.section import Figure, Group, Section
from isoform.stages.report.sheet import Column, Sheet
from isoform.stages.report.text import figure_text, rate_text, share_text, size_text, tick_text, time_text

WORDS = {FASTER: "TensorFlow less", SLOWER: "TensorFlow more", SAME: "the same"}
"""What a verdict comes to where less is better and PyTorch is the baseline."""
_QUADRANTS = ("answers quickly", "both", "neither", "starts quickly")
_LEAD = (
    "TensorFlow's figure over PyTorch's, both in processes that were alive together and took turns; less is better. "
    "The same: the interval lies within 5 %. Machine unfit: PyTorch against itself was not the same. What is usually "
    "said, in stars, stands beside what was measured here. No phone was measured."
)
_AGAIN = "Measured by: isoform compare MODELS"
_OF_CLAIMS = (
    Column("claim", "Claim"), Column("stars", "Usually said"), Column("outcome", "Here"),
    Column("command", "Measured by isoform compare MODELS ..."),
)  # fmt: skip
_OF_RATIOS = (
    Column("claim", "What"), Column("model", "Model"), Column("word", "In turns"),
    Column("ratio", "TensorFlow / PyTorch", lambda ratio: f"{ratio:.2f}", is_number=True),
    Column("low", "From", lambda end: figure_text(end, ".2f"), is_number=True),
    Column("high", "To", lambda end: figure_text(end, ".2f"), is_number=True),
)  # fmt: skip


def _time(time_ns: float | None) -> str:
    return "–" if time_ns is None else time_text(time_ns)


_OF_MODES = (
    Column("model", "Model"), Column("framework", "Framework"), Column("mode", "Mode"),
    Column("step_ns", "Step", _time, is_number=True),
    Column("inference_ns", "Inference", _time, is_number=True),
    Column("difference", "Difference", lambda part: figure_text(part, ".1g"), is_number=True),
    Column("refused", "Does not run"),
)  # fmt: skip
_OF_TOOLS = (
    Column("model", "Model"), Column("format", "Format"), Column("runtime", "Runtime"),
    Column("latency_ns", "Latency", time_text, is_number=True), Column("start_ns", "Start", time_text, is_number=True),
    Column("model_bytes", "File", size_text, is_number=True),
    Column("runtime_bytes", "To install", size_text, is_number=True),
)  # fmt: skip
_OF_CARRIED = (
    Column("model", "Model"), Column("framework", "From"),
    Column("tflite_bytes", "TFLite file", size_text, is_number=True),
    Column("operators", "Kinds of operators", is_number=True), Column("custom", "Of them custom"),
)  # fmt: skip
_OF_WORKERS = (
    Column("model", "Model"), Column("framework", "Framework"), Column("workers", "Workers", is_number=True),
    Column("alone_ns", "Step of one", time_text, is_number=True),
    Column("together_ns", "of all together", time_text, is_number=True),
    Column("efficiency", "Efficiency", share_text, is_number=True),
)  # fmt: skip


def section(found: Sequence[Compared]) -> Section:
    """Return the claims as a table, and of what was measured a chart and its figures each."""
    rows = [
        (each.claim.name, each.claim.stars, each.word, each.claim.command) for each in outcomes(found) if each.verdicts
    ]
    table = Sheet("frameworks", "What is usually said, and what was measured", _OF_CLAIMS, tuple(rows))
    figures = (_ratios(found), _tools(found), _modes(found), _workers(found), _carried(found))
    groups = (Group("", tuple(figure for figure in figures if figure is not None)),)
    return Section("frameworks", "TensorFlow against PyTorch", "Frameworks", _LEAD, groups, table)


def quadrants(name: str, models: Sequence[Compared], title: str) -> str:
    """Return how quick each tool answers against how quickly it starts, one point for each model and tool."""
    points = [
        Point(1e9 / tool.middle_start_ns, 1e9 / tool.latency_ns, place, f"{tool.runtime} {model.name}")
        for model in models
        for place, tool in enumerate(model.tools)
    ]
    halves = (median([point.x for point in points]), median([point.y for point in points]))
    return scatter(
        name, points, Scale("starts a second", _rate, margin=0.1), Scale("inferences a second", _rate, margin=0.15),
        title, "One sample, all threads; dotted: medians.", Ground(halves=halves, quadrants=_QUADRANTS),
    )  # fmt: skip


def _ratios(found: Sequence[Compared]) -> Figure | None:
    held = [
        (claim.name, model.name, one)
        for claim in CLAIMS
        for model in found
        if (one := getattr(model, claim.subject)) is not None
    ]
    if not held:
        return None
    title = "TensorFlow / PyTorch"
    bars = [
        Ratio(f"{what}, {name}", one.ratio, one.interval or (one.ratio, one.ratio), _word(one), place)
        for place, claim in enumerate(CLAIMS)
        for what, name, one in held
        if what == claim.name
    ]
    rows = tuple((what, name, _word(one), one.ratio, *(one.interval or (None, None))) for what, name, one in held)
    told = "Ratios with their 95 % intervals over groups of processes; the figures are in the table below."
    drawing = ratios("framework-ratios", bars, THRESHOLD, title, told, "TensorFlow / PyTorch, in turns")
    return Figure(title, drawing, Sheet("framework-ratios", title, _OF_RATIOS, rows), f"{_AGAIN}.")


def _tools(found: Sequence[Compared]) -> Figure | None:
    rows = tuple(
        (model.name, tool.format, tool.runtime, tool.latency_ns, tool.middle_start_ns, tool.model_bytes,
         tool.runtime_bytes)
        for model in found
        for tool in model.tools
    )  # fmt: skip
    if not rows:
        return None
    title = "Tools of deployment"
    note = f"PyTorch's models. A start is to import the runtime, to load it and to answer once. {_AGAIN} --only tools."
    return Figure(title, quadrants("tools", found, title), Sheet("tools", title, _OF_TOOLS, rows), note)


def _modes(found: Sequence[Compared]) -> Figure | None:
    rows = tuple(
        (model.name, FRAMEWORKS[mode.framework], mode.name, mode.step_ns, mode.inference_ns, mode.difference,
         mode.refused)
        for model in found
        for mode in model.modes
    )  # fmt: skip
    note = (
        "The difference is that of the outputs from the framework's first mode, as a part of their size. "
        f"{_AGAIN} --only modes."
    )
    return _figure("framework-modes", "Graph modes", _OF_MODES, rows, note)


def _workers(found: Sequence[Compared]) -> Figure | None:
    rows = tuple(
        (model.name, FRAMEWORKS[one.framework], one.workers, one.alone_ms * 1e6, one.together_ms * 1e6, one.efficiency)
        for model in found
        for one in model.scaling
    )
    note = (
        "One machine, its cores and each batch shared out. Efficiency: the speed-up by workers. One training each. "
        f"{_AGAIN} --only scaling."
    )
    return _figure("framework-workers", "Training with two workers", _OF_WORKERS, rows, note)


def _carried(found: Sequence[Compared]) -> Figure | None:
    rows = tuple(
        (model.name, FRAMEWORKS[one.framework], one.size_bytes, one.operators, ", ".join(one.custom) or "none")
        for model in found
        for one in model.carried
    )
    return _figure("framework-carried", "What arrives on a phone", _OF_CARRIED, rows, f"{_AGAIN} --only tools.")


def _figure(
    name: str, title: str, columns: tuple[Column, ...], rows: tuple[tuple[object, ...], ...], note: str
) -> Figure | None:
    return Figure(title, "", Sheet(name, title, columns, rows), note) if rows else None


def _word(found: Comparison) -> str:
    return WORDS.get(found.verdict, found.verdict)


def _rate(rate: float) -> str:
    return tick_text(rate_text(rate, ""))
