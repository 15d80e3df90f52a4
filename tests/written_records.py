"""Exports folders as export, verify and bench leave them, with chosen figures: what the report's tests read.

Every name, verdict and time is the caller's; nothing here runs a model.
"""

import json
from pathlib import Path
from typing import Any

from isoform.core.bench import SCHEMA_VERSION, BenchRecord, Process, Timing
from isoform.core.comparison import Comparison, Group
from isoform.core.frameworks import Carried, Compared, Mode, Scaling, Tool
from isoform.core.machine import Machine

HERE = Machine("Example 9000", "x86_64", 8, 16 << 30, "Linux 6.1", "CPython 3.11.7")
RUNTIMES = {"onnx": "ort-cpu", "tflite": "litert", "savedmodel": "tf", "torchscript": "torch-jit"}
_STATUSES = {"PASS": "passed", "WARN": "passed", "NOT VERIFIED": "unverified"}


def parity(
    verdict: str, output: str = "probabilities", lost_bits: float | None = 1.5, runtime: str = "ort-cpu"
) -> dict[str, Any]:
    """Return what verify says of one runtime; None bits are infinite ones, as JSON has them."""
    return {
        "runtime": runtime, "verdict": verdict, "headline": "1.5 bits lost", "cases": 32, "sizes": {"batch": [1, 2]},
        "gates": {"structure": {"verdict": "PASS", "findings": []}}, "seconds": 1.0, "versions": {}, "error": None,
        "outputs": [{
            "name": output, "verdict": verdict, "reason": "", "lost_bits": lost_bits, "correct_bits": 20.0,
            "r_rms": None if lost_bits is None else 2.8, "r_max": 3.0, "limit_rms": 8.0, "limit_max": 16.0,
            "rtol": 1e-6, "atol": 1e-9, "allowed_peak": 1e-6, "elements": 320, "measured": "float32",
        }],
    }  # fmt: skip


def artifact(
    folder: Path,
    name: str,
    format_name: str,
    verdict: str,
    framework: str = "torch",
    *,
    place: str = "m",
    precision: str | None = None,
    size_bytes: int = 1500,
    **given: Any,
) -> Path:
    """Put an artifact into ``folder/place/framework/format`` and return its folder."""
    own = folder / place / framework / (f"{format_name}-{precision}" if precision else format_name)
    own.mkdir(parents=True)
    runtime = RUNTIMES.get(format_name, "ort-cpu")
    record = {
        "schema_version": 1, "name": name, "framework": framework, "format": format_name, "model": "model.bin",
        "files": {"model.bin": {"sha256": "ab" * 32, "size_bytes": size_bytes}}, "verdict": verdict, "key": "k",
        "status": _STATUSES.get(verdict, "failed"),
        "parity": {} if verdict == "NOT VERIFIED" else {runtime: parity(verdict, runtime=runtime, **given)},
        "route": [{"converter": "torch_to_onnx", "versions": {"torch": "2"}, "seconds": 1.0, "peak_rss_bytes": 5}],
        "tried": [], "reproduce": "isoform export m",
    }  # fmt: skip
    if precision:
        record["precision"] = precision
    (own / "artifact.json").write_text(json.dumps(record))
    (own / "model.bin").write_bytes(b"weights")
    return own


def measured(
    own: Path,
    *medians_ns: int,
    is_steady: bool = True,
    load: float = 0.1,
    batch: int = 1,
    threads: tuple[int, ...] = (1,),
    size_bytes: int = 1500,
    scatter: tuple[float, ...] = (1.0, 1.0, 1.0),
    **more: Any,
) -> None:
    """Add a benchmark to an artifact: one process for each median, its queries ``scatter`` times the median.

    Args:
        more: further keys of the record, as bench writes them.
    """
    record = json.loads((own / "artifact.json").read_text())
    timings = tuple(
        Timing(
            count,
            tuple(
                Process(
                    9, 8, 7, 6, 40, is_steady, tuple(int(median * each / count) for each in scatter),
                    (int(median / count),), 100, 200,
                )
                for median in medians_ns
            ),
            load, load,
        )
        for count in threads
    )  # fmt: skip
    runtime = RUNTIMES.get(record["format"], "ort-cpu")
    written = BenchRecord(
        "k", runtime, "cpu", True, batch, {}, HERE, ("x:float32[1,4]",), "cd" * 32, size_bytes, timings
    ).to_json()
    for timing, extra in zip(written["timings"], more.pop("summaries", [{}] * len(threads)), strict=True):
        timing["summary"] |= extra
    path = own / "bench.json"
    earlier = json.loads(path.read_text())["records"] if path.exists() else []
    path.write_text(json.dumps({"schema_version": SCHEMA_VERSION, "records": [*earlier, written | more]}))


def training(folder: Path, framework: str, *, is_generated: bool, place: str = "m") -> None:
    """Put a training of two epochs into ``folder/place/framework/training``."""
    own = folder / place / framework / "training"
    own.mkdir(parents=True)
    epochs = [
        {"epoch": n, "loss": 1 / n, "accuracy": 1 - 0.5 / n, "test_loss": 1 / n, "test_accuracy": 0.9} for n in (1, 2)
    ]
    record = {
        "schema_version": 1, "framework": framework, "epochs": epochs, "test_accuracy": 0.9125, "seconds": 3.0,
        "dataset": {"name": "reviews", "is_generated": is_generated, "description": "d", "train_samples": 10},
    }  # fmt: skip
    (own / "training.json").write_text(json.dumps(record))


def placement(target: str, nodes: list[tuple[str, str, str, int]], partitions: int | None = None) -> dict[str, Any]:
    """Return where operators ran; a node is (operator, target, "integer" | "float" | "none", multiply-accumulates)."""
    elsewhere = [operator for operator, where, _, _ in nodes if where != target]
    return {
        "is_known": True, "reason": None, "target": target, "partitions": partitions,
        "nodes": [
            {
                "name": f"n{i}", "operator": operator, "target": where, "arithmetic": kind, "dtype": None, "macs": macs,
                "runs": 1,
            }
            for i, (operator, where, kind, macs) in enumerate(nodes)
        ],
        "summary": {
            "nodes": len(nodes), "off_target": len(elsewhere),
            "off_target_operators": {operator: elsewhere.count(operator) for operator in dict.fromkeys(elsewhere)},
            "inserted": {"casts": 0, "copies": 2, "transposes": 0, "quantize": 0, "dequantize": 0},
            "macs": sum(macs for *_, macs in nodes), "mac_share_off_target": None, "mac_share_integer": None,
            "mac_share_float": None,
        },
    }  # fmt: skip


def roofline(achieved: float, intensity: tuple[float, float], ceilings: tuple[float, float]) -> dict[str, Any]:
    """Return the summary's ``roofline`` of a timing under ``ceilings``: (FLOP/s, B/s)."""
    attainable = [min(ceilings[0], ceilings[1] * each) for each in intensity]
    return {
        "intensity": list(intensity), "achieved_flops_per_s": achieved, "achieved_bytes_per_s": achieved / intensity[1],
        "attainable_flops_per_s": attainable, "share": achieved / attainable[1], "bound": "arithmetic",
    }  # fmt: skip


def full(folder: Path) -> None:
    """Fill ``folder`` with two models and records of every kind: all sections of the page have something to show."""
    ceilings = {"kernel": "numpy", "threads": {"1": {"flops_per_s": 6e10, "bytes_per_s": 1e10}}}
    base = 1_000_000
    for model, factor in (("net", 1), ("wide_net", 7)):
        for framework, more in (("torch", 1.0), ("keras", 1.1)):
            for number, (name, verdict) in enumerate(
                [("onnx", "PASS"), ("tflite", "PASS"), ("savedmodel", "WARN"), ("torchscript", "FAIL")]
            ):
                own = artifact(folder, model, name, verdict, framework, place=model, lost_bits=float(number))
                for batch in (1, 8):
                    median = int(base * factor * more * (1 + number / 4) * batch**0.8)
                    reached = roofline(2e10 / (1 + number), (5.0, 20.0), (6e10, 1e10))
                    summary = {"roofline": reached}
                    nodes = [("Conv", "A", "float", 900), ("Gather", "B", "none", 0), ("Gemm", "B", "integer", 100)]
                    measured(
                        own, *(median + 1000 * step for step in range(6)), batch=batch, size_bytes=1500 * (number + 1),
                        scatter=(0.95, 1.0, 1.0, 1.1, 3.0), threads=(1, 2), summaries=[summary, summary],
                        placement=placement("A", nodes), ceilings=ceilings,
                    )  # fmt: skip
            training(folder, framework, is_generated=framework == "torch", place=model)


def comparison(ratio: float, baseline: float = 2e6) -> Comparison:
    """Return what was timed in turns: six groups that agree."""
    return Comparison(2, tuple(Group((baseline,), (baseline,), (baseline * ratio,)) for _ in range(6)), 0.05)


_MODES = (
    Mode("torch", "eager", comparison(1.0), comparison(1.0, 1e5), None),
    Mode("torch", "compile", None, None, None, "no compiler | none at all"),
    Mode("keras", "function", comparison(1.5), comparison(0.5, 1e5), None),
    Mode("keras", "xla", comparison(2.0), comparison(0.7, 1e5), 2.5e-7),
)
_TOOLS = (
    Tool("onnx", "ort-cpu", comparison(1.0), (30_000_000,) * 6, 1_500_000, 50_000_000),
    Tool("tflite", "litert", comparison(3.0), (10_000_000,) * 6, 1_400_000, 15_000_000),
)
_CARRIED = (Carried("torch", 1_400_000, 5, ()), Carried("keras", 1_500_000, 6, ("CUSTOM Odd",)))
_SCALING = (Scaling("torch", 2, 10.0, 6.25), Scaling("keras", 2, 10.0, 20.0))
COMPARED = Compared("net", _MODES, comparison(1.9, 4e8), _TOOLS, comparison(1.0), _CARRIED, _SCALING)
"""A model measured in both frameworks."""
