"""What smaller precisions of two reference models cost and keep: size, decisions, and time in turns with float32.

``isoform export`` makes them in ``exports``, beside the float32 ones. Timed on one thread, with fewer turns than
``isoform bench --baseline`` takes.
"""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core import cases
from isoform.core import format as formats
from isoform.core.artifact import CASES_NAME, open_artifact, read_record
from isoform.core.comparison import CompareOptions
from isoform.isolation import Pool
from isoform.stages import bench
from isoform.stages.compare import Comparer

NAME = "integers"
ROOT = Path(__file__).parents[2]
MODELS = ("image_classifier", "text_classifier")
FRAMEWORKS = ("torch", "keras")
FORMATS = ("onnx", "tflite")
PRECISIONS = ("int8", "dynamic-int8", "fp16")
LIMIT = 0.30
"""Of the float32 size, for eight bits."""
OPTIONS = CompareOptions(groups=6, most_groups=6, blocks=8, threads=(1,))


def integers() -> Iterator[dict[str, Any]]:
    """Give one row for each model, framework, format and precision."""
    _export()
    with Pool() as pool:
        for precision, name, framework, form in itertools.product(PRECISIONS, MODELS, FRAMEWORKS, FORMATS):
            row = _row(ROOT / "exports" / name / framework / form, precision, pool)
            print(" | ".join(_cells(row)), flush=True)
            yield row


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the rows as Markdown."""
    titles = ("artifact", "verdict", "of the float32 size", "at most", "decisions that agree", "time over float32's")
    return [_line(titles), _line(["---"] * len(titles)), *(_line(_cells(row)) for row in rows)]


def _export() -> None:
    wanted = ["--to", ",".join(FORMATS), "--precision", ",".join(("fp32", *PRECISIONS)), "--out", "exports"]
    command = [sys.executable, "-m", "isoform", "export", *(f"models/{name}" for name in MODELS), *wanted]
    subprocess.run(command, check=False, cwd=ROOT)  # what fails is a row that says so


def _row(float32: Path, precision: str, pool: Pool) -> dict[str, Any]:
    own = float32.with_name(f"{float32.name}-{precision}")
    record, (candidate, baseline) = read_record(own), (open_artifact(folder) for folder in (own, float32))
    [parity] = [entry for entry in record["parity"].values() if entry["gates"]]
    query = bench.prepare(cases.load(own / CASES_NAME), candidate, batch=1)
    runtime = registry.runtime(formats.lookup(candidate.format).runtime)
    [found] = Comparer(baseline, candidate, query, runtime, pool, OPTIONS).run()
    sizes = [path.stat().st_size for path in (candidate.model, baseline.model)]
    return {
        "name": str(own.relative_to(ROOT / "exports")), "precision": precision, "verdict": record["verdict"],
        "share": sizes[0] / sizes[1], "task": parity["gates"]["task"]["findings"][0], "word": found.verdict,
        "ratio": found.ratio, "interval": found.interval,
    }  # fmt: skip


def _cells(row: dict[str, Any]) -> list[str]:
    low, high = row["interval"]
    agree = row["task"].partition(": ")[2].partition(" of")[0]
    return [
        row["name"], row["verdict"], f"{row['share']:.3f}", f"{LIMIT:.2f}" if "int8" in row["precision"] else "", agree,
        f"{row['ratio']:.2f} ({low:.2f} to {high:.2f}), {row['word']}",
    ]  # fmt: skip


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


SECTIONS = {NAME: integers}
