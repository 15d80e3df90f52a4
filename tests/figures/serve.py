"""How ``isoform serve`` holds under load: 64 clients for a minute, every answer held against the runtime's own.

To the bit against the runtime at the batch that an answer was computed in, and with gate 3 against the runtime at a
batch of one. ``make figures SECTIONS=serving``; SECONDS_EACH and OUT are read from the environment.
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import served
from figures.measure import TESTS
from isoform.core import cases as case_files
from isoform.core.artifact import CASES_NAME, Artifact, open_artifact
from isoform.core.cases import Cases
from isoform.core.parity import NOT_CHECKED, Gate, assess
from isoform.core.signature import Signature

NAME = "serving"
CLIENTS = 64
SAMPLES = 64
TITLES = (
    "", "seconds", "requests", "errors", "p50 (ms)", "p99 (ms)", "samples in a batch", "equal to the bit",
    "R_rms, at most",
)  # fmt: skip
OPTIONS = {"batches of up to 32": (), "one request at a time": ("--max-batch", "1")}


def serving() -> Iterator[dict[str, Any]]:
    """Give one row for each way to put requests together."""
    folder = Path(os.environ.get("OUT", TESTS.parent / "exports")) / "image_classifier" / "torch" / "onnx"
    seconds = float(os.environ.get("SECONDS_EACH", "60"))
    known = _samples(folder)
    bodies = [served.request(dict(inputs)) for inputs in known.inputs]
    for name, options in OPTIONS.items():
        with served.serving(folder, *options) as server:
            found = served.load(server, bodies, CLIENTS, seconds)
            if server.process.poll() is not None:
                raise SystemExit(f"The server ended by itself: {server.process.communicate()[1]}")
        row = {"name": name, "seconds": seconds, **_latency(found), **_held(folder, known, found)}
        print(row, flush=True)
        yield row


def _samples(folder: Path) -> Cases:
    """Return recorded cases as requests of one sample each, with what the source answers to it."""
    known = case_files.load(folder / CASES_NAME)
    rows = [(case, row) for case, inputs in enumerate(known.inputs) for row in range(_size(inputs))][:SAMPLES]
    whole = known.only([case for case, _ in rows])

    def one(column: Any) -> tuple[dict[str, Any], ...]:
        return tuple(
            {name: array[row : row + 1] for name, array in tensors.items()}
            for (_, row), tensors in zip(rows, column, strict=True)
        )

    return Cases(
        whole.kinds, one(whole.inputs), one(whole.reference), one(whole.source), whole.floors, whole.recorded_by,
        whole.method,
    )  # fmt: skip


def _size(inputs: Any) -> int:
    return int(next(iter(inputs.values())).shape[0])


def _latency(found: list[served.Answered]) -> dict[str, Any]:
    answered = [each for each in found if each.status == 200]
    p50, p99 = np.percentile([each.seconds * 1e3 for each in answered], [50, 99])
    return {
        "requests": len(found), "errors": len(found) - len(answered), "p50_ms": float(p50), "p99_ms": float(p99),
        "mean_batch": float(np.mean([each.batch_size for each in answered])),
    }  # fmt: skip


def _held(folder: Path, known: Cases, found: list[served.Answered]) -> dict[str, Any]:
    """Return how many answers are the runtime's at the same batch to the bit, and gate 3's figures of all of them."""
    artifact = open_artifact(folder)
    answered = [each for each in found if each.status == 200]
    expected = _expected(artifact, known, answered)
    equal = sum(
        all(np.array_equal(array, expected[_place(each)][name]) for name, array in each.outputs.items())
        for each in answered
    )
    return {"equal": equal, "not_equal": len(answered) - equal, **_gate_3(artifact.signature, known, answered)}


def _place(answer: served.Answered) -> tuple[int, int, int]:
    return answer.batch_size, answer.batch_begin, answer.index


def _expected(
    artifact: Artifact, known: Cases, answered: list[served.Answered]
) -> dict[tuple[int, int, int], dict[str, Any]]:
    """Return what the runtime gives for each sample in a batch of that size at that place, whatever is beside it."""
    session = onnxruntime.InferenceSession(str(artifact.model), providers=["CPUExecutionProvider"])
    names = [spec.name for spec in artifact.signature.outputs]
    columns: dict[int, list[list[int]]] = {}
    for size, begin, index in sorted(set(map(_place, answered))):
        columns.setdefault(size, [[] for _ in range(size)])[begin].append(index)
    expected = {}
    for size, places in columns.items():
        for batch in itertools.zip_longest(*places, fillvalue=0):
            rows = [known.inputs[index] for index in batch]
            outputs = session.run(names, {name: np.concatenate([row[name] for row in rows]) for name in rows[0]})
            for begin, index in enumerate(batch):
                own = slice(begin, begin + 1)
                expected[size, begin, index] = {
                    name: array[own] for name, array in zip(names, outputs, strict=True)
                }  # fmt: skip
    return expected


def _gate_3(signature: Signature, known: Cases, answered: list[served.Answered]) -> dict[str, Any]:
    """Return the figures of gate 3 over every different answer, whatever batch it was computed in."""
    different = list(
        {(each.index, *(array.tobytes() for array in each.outputs.values())): each for each in answered}.values()
    )
    chosen = known.only([each.index for each in different])
    none = Gate(NOT_CHECKED, ())
    record = assess("ort-cpu", signature, signature, chosen, [each.outputs for each in different], none, none)
    return {
        "different": len(different), "gate_3": record.gates["numerics"].verdict,
        "r_rms": max(each.r_rms for each in record.outputs), "limit": max(each.limit_rms for each in record.outputs),
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the rows as Markdown."""
    lines = [
        f"{CLIENTS} clients on the same machine ask for the image classifier of PyTorch, in ONNX, without a pause: one",
        "image of 3 x 64 x 64, in JSON. Each answer is held against ONNX Runtime at the same batch to the bit, and all",
        "of them, in whatever batch they were computed, against the reference as gate 3 does.",
        "",
        f"| {' | '.join(TITLES)} |",
        "|---" * len(TITLES) + "|",
    ]
    for row in rows:
        lines.append(
            f"| {row['name']} | {row['seconds']:.0f} | {row['requests']} | {row['errors']} | {row['p50_ms']:.0f} "
            f"| {row['p99_ms']:.0f} | {row['mean_batch']:.1f} | {row['equal']} of {row['equal'] + row['not_equal']} "
            f"| {row['r_rms']:.2f}, {row['limit']:g} ({row['gate_3']}) |"
        )
    return lines


SECTIONS = {NAME: serving}
