"""The tables of a comparison as Markdown, and as lines for the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from isoform import store
from isoform.core.comparison import Comparison
from isoform.core.frameworks import FRAMEWORKS, Compared, Mode, outcomes
from isoform.core.statistics import median
from isoform.stages.report.sections.frameworks import WORDS, quadrants
from isoform.stages.report.text import time_text


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
        latency, start = time_text(tool.latency_ns), time_text(tool.middle_start_ns)
        yield f"{tool.format} on {tool.runtime}: {latency}, starts in {start}"


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
        models=models, record=record, outcomes=outcomes(models), ratio=ratio, time=time_text,
        frameworks=FRAMEWORKS, drawing=drawing.name,
        has_tools=has_tools, has_modes=any(model.modes for model in models),
        has_scaling=any(model.scaling for model in models), scales=_memories,
    )  # fmt: skip
    store.write_bytes(path, rendered.encode())
    if has_tools:
        store.write_bytes(drawing, quadrants("tools", models, "Tools of deployment").encode())


def ratio(found: Comparison) -> str:
    """Return a ratio with its interval, and in words what it comes to."""
    interval = found.interval
    shown = f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else " (too few for an interval)"
    return f"{found.ratio:.2f}{shown}: {WORDS.get(found.verdict, found.verdict)}"


def _mode_told(mode: Mode) -> str:
    if mode.step_ns is None or mode.inference_ns is None:
        return f"does not run: {mode.refused}"
    return f"{time_text(mode.step_ns)} a step, {time_text(mode.inference_ns)} an inference"


def _memories(found: Comparison) -> tuple[str, str]:
    """Return the median peak of PyTorch's and of TensorFlow's processes."""
    sides = ([group.baseline[0] for group in found.groups], [group.candidate[0] for group in found.groups])
    one, two = (f"{median(side) / (1 << 20):,.0f} MiB" for side in sides)
    return one, two
