"""Where the time of ``isoform convert`` goes: ResNet-50 (25.6 M parameters) to all four formats, each verified.

Every call of a child is recorded: how long it took from outside, how long the job itself ran, and the processor time of
either side. Two calls may run at once, so that seconds by step add up to more than the whole. What no call covers is
isoform's own: reading, planning, hashing, judging, publishing.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoform.core.signature import TensorSpec
from isoform.isolation import Answer, Pool
from isoform.stages.convert import ConvertRequest, convert

NAME = "convert"
FORMATS = ("onnx", "savedmodel", "tflite", "torchscript")
REPOSITORY = Path(__file__).parents[1] / "repos" / "resnet"
LIMITS_S = {"the whole": 60.0, "isoform's own": 3.0}
STEPS = {
    "describe:describe": "describing the source",
    "reference:reference": "references: float32, float64, disturbed",
    "infer:save_weights": "gate 1, weights",
    "infer:match_weights": "gate 1, weights",
    "semantics:evaluate": "gate 2, float64",
    "float64:evaluate": "gate 2, float64",
    "convert:convert": "converters",
    "infer:run": "gate 3, runtimes",
}
MAKE = """
import sys
from pathlib import Path
from isoform._user_code import put_first
put_first(Path(sys.argv[1]), frozenset())
import torch
from models.resnet import trained
torch.save(trained().state_dict(), sys.argv[2])
"""


@dataclass
class Spent:
    """Seconds by the clock and of the processors."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def add(self, seconds: float, cpu_seconds: float) -> None:
        self.seconds += seconds
        self.cpu_seconds += cpu_seconds


class RecordingPool(Pool):
    """A pool that knows what each kind of call cost."""

    def __init__(self, log_dir: Path) -> None:
        super().__init__(log_dir)
        self.spent: dict[str, Spent] = {}
        self._calls: list[tuple[float, float]] = []
        self._recording = threading.Lock()

    def call(self, function: str, arguments: Any, **words: Any) -> Answer:
        """Return what the job answers."""
        begin = time.monotonic()
        answer = super().call(function, arguments, **words)
        end = time.monotonic()
        with self._recording:
            self._calls.append((begin, end))
            self.of(STEPS[function.removeprefix("isoform.jobs.")]).add(answer.seconds, answer.cpu_seconds)
            self.of("starting children").add(end - begin - answer.seconds, 0.0)
        about = arguments.get("converter") or arguments.get("runtime", "")
        print(f"{function} {about}: {answer.seconds:.1f} s, {answer.cpu_seconds:.1f} s of processors", file=sys.stderr)
        return answer

    @property
    def covered_s(self) -> float:
        """Return for how long one call or more was running."""
        covered, until = 0.0, 0.0
        for begin, end in sorted(self._calls):
            covered += max(0.0, end - max(begin, until))
            until = max(until, end)
        return covered

    def of(self, step: str) -> Spent:
        return self.spent.setdefault(step, Spent())


def measured() -> list[dict[str, Any]]:
    """Return seconds and processor seconds of each kind of step, of isoform's own work, and of the whole."""
    with tempfile.TemporaryDirectory(prefix="figures.") as name:
        folder = Path(name)
        weights = folder / "resnet50.pt"
        subprocess.run([sys.executable, "-P", "-c", MAKE, str(REPOSITORY), str(weights)], check=True)
        earlier = _children_cpu_seconds()
        with RecordingPool(folder / "logs") as pool:
            before, begin = time.process_time(), time.monotonic()
            results = convert(_request(weights, folder / "out"), pool, lambda subject, text: None)
            whole, own_cpu = time.monotonic() - begin, time.process_time() - before
        children = _children_cpu_seconds() - earlier
    pool.of("isoform's own").add(whole - pool.covered_s, own_cpu)
    pool.of("starting children").cpu_seconds = children - sum(
        spent.cpu_seconds for step, spent in pool.spent.items() if step != "isoform's own"
    )
    pool.of("the whole").add(whole, children + own_cpu)
    rows = [{"name": step, **vars(spent), "limit_s": LIMITS_S.get(step)} for step, spent in pool.spent.items()]
    verdicts = ", ".join(f"{result.format} {result.verdict}" for result in results)
    print(table(rows)[-1], verdicts, file=sys.stderr, flush=True)
    return [*rows, {"name": "verdicts", "text": verdicts}]


def _request(weights: Path, out: Path) -> ConvertRequest:
    return ConvertRequest(
        weights, FORMATS, out, "isoform convert", arch=f"{REPOSITORY}/models/resnet.py:build",
        inputs=[TensorSpec.parse("image:float32[batch,3,224,224]")],
    )  # fmt: skip


def _children_cpu_seconds() -> float:
    """Return the processor time of the children that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the section of docs/figures.md."""
    text = ["| step | seconds | processor seconds | at most (s) |", "|---|---|---|---|"]
    for row in rows:
        if "text" not in row:
            limit = "" if row["limit_s"] is None else f"{row['limit_s']:g}"
            text.append(f"| {row['name']} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} | {limit} |")
    return [*text, *(f"\nVerdicts: {row['text']}." for row in rows if "text" in row)]


SECTIONS = {NAME: measured}
