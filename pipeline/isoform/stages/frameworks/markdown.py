"""The tables of a comparison as Markdown, and as lines for the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from isoform import store
from isoform.core.comparison import FASTER, SAME, SLOWER, Comparison
from isoform.core.frameworks import FRAMEWORKS, Compared, Mode, Tool, outcomes
from isoform.core.statistics import median
from isoform.stages.report.charts.scatter import Ground, Point, Scale, scatter
from isoform.stages.report.text import rate_text, time_text

_WORDS = {FASTER: "TensorFlow less", SLOWER: "TensorFlow more", SAME: "the same"}


def lines(model: Compared) -> Iterator[str]:
    """Yield what was measured of a model, one finding a line."""
    for name, found in (
        ("a step of training", model.training), ("an inference", model.inference),
        ("memory while training", model.memory), ("the TFLite file's latency", model.mobile),
    ):  # fmt: skip
        if found is not None:
            yield f"{name}: TensorFlow / PyTorch {ratio(found)}"
    for mode in model.modes:
        yield f"{FRAMEWORKS[mode.framework]} {mode.name}: {_mode_told(mode)}"
    for one in model.scaling:
        yield f"{FRAMEWORKS[one.framework]}: {one.workers} workers at {one.efficiency:.0%} efficiency"
    for tool in model.tools:
        yield f"{tool.format} on {tool.runtime}: {time_text(latency_ns(tool))}, starts in {time_text(start_ns(tool))}"


def write(models: Sequence[Compared], record: Mapping[str, Any], path: Path) -> None:
    """Write the tables to ``path`` and, where tools were measured, their quadrants beside it as SVG."""
    text = (resources.files("isoform.stages.frameworks") / "frameworks.md.j2").read_text("utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    has_tools = any(model.tools for model in models)
    drawing = path.with_suffix(".svg")
    rendered = environment.from_string(text).render(
        models=models, record=record, outcomes=outcomes(models), ratio=ratio, time=time_text, latency_ns=latency_ns,
        start_ns=start_ns, middle=median, frameworks=FRAMEWORKS, mode_ms=_mode_times, drawing=drawing.name,
        has_tools=has_tools, has_modes=any(model.modes for model in models),
        has_scaling=any(model.scaling for model in models), scales=_memories,
    )  # fmt: skip
    store.write_bytes(path, rendered.encode())
    if has_tools:
        store.write_bytes(drawing, quadrants(models).encode())


def ratio(found: Comparison) -> str:
    """Return a ratio with its interval, and in words what it comes to."""
    interval = found.interval
    shown = f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else " (too few for an interval)"
    return f"{found.ratio:.2f}{shown}: {_WORDS.get(found.verdict, found.verdict)}"


def latency_ns(tool: Tool) -> float:
    """Return the latency of a tool: what ONNX Runtime's was, times the ratio of the two in turns."""
    return tool.latency.baseline_ns * tool.latency.ratio


def start_ns(tool: Tool) -> float:
    """Return the median over processes of the time to import, load and answer once."""
    return median(tool.start_ns)


def quadrants(models: Sequence[Compared]) -> str:
    """Return the drawing: how quick a tool answers against how quickly it starts, one point for each model and tool."""
    points = [
        Point(1e9 / start_ns(tool), 1e9 / latency_ns(tool), place, f"{tool.runtime} {model.name}")
        for model in models
        for place, tool in enumerate(model.tools)
    ]
    halves = (median([point.x for point in points]), median([point.y for point in points]))
    ground = Ground(halves=halves, quadrants=("answers quickly", "both", "neither", "starts quickly"))
    return scatter(
        "tools", points, Scale("starts a second", _rate, margin=0.1), Scale("inferences a second", _rate, margin=0.15),
        "Tools of deployment", "One sample, all threads; dotted: medians.", ground,
    )  # fmt: skip


def _rate(rate: float) -> str:
    return rate_text(rate, "")


def _mode_told(mode: Mode) -> str:
    if mode.train is None or mode.infer is None:
        return f"does not run: {mode.refused}"
    step, inference = _mode_times(mode)
    return f"{step} a step, {inference} an inference"


def _mode_times(mode: Mode) -> tuple[str, str]:
    """Return the times of a step and of an inference in a mode."""
    assert mode.train is not None  # asked only of modes that run
    assert mode.infer is not None
    step, inference = (time_text(found.baseline_ns * found.ratio) for found in (mode.train, mode.infer))
    return step, inference


def _memories(found: Comparison) -> tuple[str, str]:
    """Return the median peak of PyTorch's and of TensorFlow's processes."""
    sides = ([group.baseline[0] for group in found.groups], [group.candidate[0] for group in found.groups])
    one, two = (f"{median(side) / (1 << 20):,.0f} MiB" for side in sides)
    return one, two
