"""The reference models for phones and boards: exported and proved, then timed in turns with what each is instead of.

A smaller precision is timed against float32 of the same format, another format against ONNX on ONNX Runtime. All that
have the same opponent are alive together; one thread, and fewer turns than ``isoform bench --baseline`` takes.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry, store
from isoform.core import cases
from isoform.core import format as formats
from isoform.core.artifact import CASES_NAME, RECORD_NAME, open_artifact, read_record
from isoform.core.comparison import SAME, CompareOptions, Comparison, Group
from isoform.core.parity import FAIL
from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.stages import bench
from isoform.stages.compare import QUERY, contender
from isoform.stages.turns import Turns

ROOT = Path(__file__).parents[2]
MODELS = ("image_classifier", "text_classifier", "mlp")
FRAMEWORKS = ("torch", "keras")
REDUCED = ("onnx", "tflite")
PRECISIONS = ("int8", "dynamic-int8", "fp16")
OTHERS = ("tflite", "ort", "openvino")
Blocks = Mapping[tuple[str, str], tuple[float, ...]]
LIMIT = 0.30
"""Of the float32 size, for eight bits."""
OPTIONS = CompareOptions(groups=6, most_groups=18, blocks=8, warmup_s=0.2, warmup_limit_s=1.0)


def rows(out: Path) -> Iterator[dict[str, Any]]:
    """Give a row for each model, framework and format, in float32 and in each smaller precision."""
    _export(out, REDUCED, ("fp32", *PRECISIONS))
    _export(out, OTHERS, ("fp32",))
    with Pool() as pool:
        for model in MODELS:
            for framework in FRAMEWORKS:
                folder = out / model / framework
                for against in REDUCED:
                    names = [f"{against}-{precision}" for precision in PRECISIONS]
                    others = OTHERS if against == "onnx" else ()
                    yield from _timed(out, folder / against, [folder / name for name in (*others, *names)], pool)


def _export(out: Path, forms: Sequence[str], precisions: Sequence[str]) -> None:
    wanted = ["--to", ",".join(forms), "--precision", ",".join(precisions), "--out", str(out)]
    command = [sys.executable, "-m", "isoform", "export", *(f"models/{name}" for name in MODELS), *wanted]
    subprocess.run(command, check=False, cwd=ROOT)  # what fails is a row that says so


def _timed(out: Path, against: Path, folders: Sequence[Path], pool: Pool) -> Iterator[dict[str, Any]]:
    """Give a row for each of ``folders``: all of them took turns with ``against`` and with each other."""
    found = {folder: _row(out, folder, against) for folder in folders}
    try:
        groups = _groups(against, [folder for folder, row in found.items() if "error" not in row], pool)
    except IsoformError as error:
        yield from (row | {"error": row.get("error", error.what)} for row in found.values())
        return
    for folder, row in found.items():
        if folder not in groups:
            yield row
            continue
        told = Comparison(1, groups[folder])
        yield row | {
            "word": told.verdict, "ratio": told.ratio, "interval": told.interval, "p50_ns": told.candidate_ns,
        }  # fmt: skip


def _groups(against: Path, folders: Sequence[Path], pool: Pool) -> dict[Path, tuple[Group, ...]]:
    baseline = open_artifact(against)
    query = bench.prepare(cases.load(against / CASES_NAME), baseline, batch=1)
    with tempfile.TemporaryDirectory(prefix="isoform-edge.") as scratch:
        inputs = Path(scratch) / "inputs.npz"
        np.savez(inputs, *query.arrays.values())
        alive = {"baseline": against, "control": against} | {str(folder): folder for folder in folders}
        contenders = {}
        for name, artifact in {name: open_artifact(folder) for name, folder in alive.items()}.items():
            own = registry.runtime(formats.lookup(artifact.format).runtime)
            contenders[name] = contender(artifact, own, inputs, 1, OPTIONS)
        turns = Turns(contenders, pool, OPTIONS.blocks, OPTIONS.block_s, opened_together=2)
        rounds: list[Blocks] = []
        while len(rounds) < OPTIONS.most_groups and (not rounds or not _is_fit(rounds)):
            rounds += [turns.group(seed).blocks for seed in range(len(rounds), len(rounds) + OPTIONS.groups)]
    return {folder: _grouped(rounds, str(folder)) for folder in folders}


def _is_fit(rounds: Sequence[Blocks]) -> bool:
    """Return whether the opponent was its own equal."""
    return Comparison(1, _grouped(rounds, "control")).verdict == SAME


def _grouped(rounds: Sequence[Blocks], name: str) -> tuple[Group, ...]:
    return tuple(Group(blocks["baseline", QUERY], blocks["control", QUERY], blocks[name, QUERY]) for blocks in rounds)


def _row(out: Path, folder: Path, against: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"name": str(folder.relative_to(out)), "against": against.name}
    failure = store.read_json(folder.with_name(f"{folder.name}.failure.json"))
    if failure is not None or not (folder / RECORD_NAME).is_file():
        return row | {"error": (failure or {}).get("error", {}).get("message", "not exported")}
    record = read_record(folder)
    sizes = [sum(file["size_bytes"] for file in _model_files(each)) for each in (folder, against)]
    row |= {
        "precision": record["precision"], "verdict": record["verdict"], "size_bytes": sizes[0],
        "share": sizes[0] / sizes[1], "decisions": _decisions(record),
        "kept": (record["reduction"] or {}).get("kept", []),
    }  # fmt: skip
    return row | ({"error": "not timed: it is not proved"} if record["verdict"] == FAIL else {})


def _model_files(folder: Path) -> list[dict[str, Any]]:
    """Return the files that are the model, external data included, without cases and records."""
    record = read_record(folder)
    own = (record["model"], *formats.beside(record["model"]))
    return [file for name, file in record["files"].items() if name.split("/")[0] in own]


def _decisions(record: dict[str, Any]) -> str:
    """Return on how many samples it decides as the source does, in the words of gate 4; "" where it was not asked."""
    found = [parity["gates"]["task"]["findings"] for parity in record["parity"].values() if "task" in parity["gates"]]
    return found[0][0].partition(": ")[2].partition(" of")[0] if found and found[0] else ""
