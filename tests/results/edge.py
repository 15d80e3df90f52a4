"""The reference models for phones and boards: exported and proved, then timed in turns with what each is instead of.

A smaller precision is timed against float32 of the same format, another format against ONNX on ONNX Runtime; one
thread, and fewer turns than ``isoform bench --baseline`` takes.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from isoform import registry, store
from isoform.core import cases
from isoform.core import format as formats
from isoform.core.artifact import CASES_NAME, RECORD_NAME, open_artifact, read_record
from isoform.core.comparison import CompareOptions
from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.stages import bench
from isoform.stages.compare import Comparer, runtime_for

ROOT = Path(__file__).parents[2]
MODELS = ("image_classifier", "text_classifier", "mlp")
FRAMEWORKS = ("torch", "keras")
REDUCED = ("onnx", "tflite")
PRECISIONS = ("int8", "dynamic-int8", "fp16")
OTHERS = ("tflite", "ort", "openvino")
LIMIT = 0.30
"""Of the float32 size, for eight bits."""
OPTIONS = CompareOptions(groups=6, most_groups=6, blocks=8, threads=(1,), warmup_s=0.2, warmup_limit_s=1.0)


def rows(out: Path) -> Iterator[dict[str, Any]]:
    """Give a row for each model, framework and format, in float32 and in each smaller precision."""
    _export(out, REDUCED, ("fp32", *PRECISIONS))
    _export(out, OTHERS, ("fp32",))
    with Pool() as pool:
        for model in MODELS:
            for framework in FRAMEWORKS:
                folder = out / model / framework
                for form in OTHERS:
                    yield _row(out, folder / form, folder / "onnx", pool)
                for form in REDUCED:
                    for precision in PRECISIONS:
                        yield _row(out, folder / f"{form}-{precision}", folder / form, pool)


def _export(out: Path, forms: Sequence[str], precisions: Sequence[str]) -> None:
    wanted = ["--to", ",".join(forms), "--precision", ",".join(precisions), "--out", str(out)]
    command = [sys.executable, "-m", "isoform", "export", *(f"models/{name}" for name in MODELS), *wanted]
    subprocess.run(command, check=False, cwd=ROOT)  # what fails is a row that says so


def _row(out: Path, folder: Path, against: Path, pool: Pool) -> dict[str, Any]:
    row: dict[str, Any] = {"name": str(folder.relative_to(out)), "against": against.name}
    failure = store.read_json(folder.with_name(f"{folder.name}.failure.json"))
    if failure is not None or not (folder / RECORD_NAME).is_file():
        return row | {"error": (failure or {}).get("error", {}).get("message", "not exported")}
    record, candidate, baseline = read_record(folder), open_artifact(folder), open_artifact(against)
    sizes = [sum(file["size_bytes"] for file in _model_files(each)) for each in (folder, against)]
    row |= {
        "precision": record["precision"], "verdict": record["verdict"], "size_bytes": sizes[0],
        "share": sizes[0] / sizes[1], "decisions": _decisions(record),
        "kept": (record["reduction"] or {}).get("kept", []),
    }  # fmt: skip
    own = registry.runtime(formats.lookup(candidate.format).runtime)
    try:
        query = bench.prepare(cases.load(folder / CASES_NAME), candidate, batch=1)
        [found] = Comparer(baseline, candidate, query, own, pool, OPTIONS, None, runtime_for(against, own)).run()
    except IsoformError as error:
        return row | {"error": error.what}
    return row | {
        "word": found.verdict, "ratio": found.ratio, "interval": found.interval, "p50_ns": found.candidate_ns,
    }  # fmt: skip


def _model_files(folder: Path) -> list[dict[str, Any]]:
    """Return the files that are the model, external data included, without cases and records."""
    record = read_record(folder)
    own = (record["model"], *formats.beside(record["model"]))
    return [file for name, file in record["files"].items() if name.split("/")[0] in own]


def _decisions(record: dict[str, Any]) -> str:
    """Return on how many samples it decides as the source does, in the words of gate 4; "" where it was not asked."""
    found = [parity["gates"]["task"]["findings"] for parity in record["parity"].values() if "task" in parity["gates"]]
    return found[0][0].partition(": ")[2].partition(" of")[0] if found and found[0] else ""
