"""What a benchmark tells beyond latency, with a pool that answers from a script."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoform import registry, store
from isoform.core.artifact import open_artifact
from isoform.core.bench import BenchRecord
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.isolation import Answer
from isoform.stages import details as stage
from isoform.stages.ceilings import Ceilings, bytes_per_s
from written_records import artifact, measured

SIGNATURE = Signature((TensorSpec("x", "float32", ("n", 4)),), (TensorSpec("y", "float32", ("n", 2)),))
WORK = {
    "is_known": True, "reason": None, "counted_from": "the file", "macs": 500, "flops": 1000, "weight_bytes": 80,
    "input_bytes": 15, "output_bytes": 5, "fewest_bytes": 100, "most_bytes": 400, "unknown": [],
}  # fmt: skip
LEVEL = {"flops_per_s": 1e9, "memory_bytes_per_s": 1e6, "levels": [[64, 9e6], [128, 5e6], [4096, 6e6]]}


class ScriptedPool:
    """Answers jobs by their name, an error where it is one, and keeps what was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.calls = answers, []

    def call(self, function: str, arguments: Any, **how: Any) -> Answer:
        name = function.rpartition(":")[2]
        self.calls.append((name, arguments, how))
        found = self.answers[name]
        if isinstance(found, IsoformError):
            raise found
        if name == "measure":
            found = {"kernel": "numpy", "threads": {str(count): found for count in arguments["threads"]}}
        return Answer(found, 0.1, 1, 0.1)


def folder(root: Path, format_name: str, source: str = "s1", signature: Signature = SIGNATURE) -> Path:
    own = artifact(root, "m", format_name, "PASS")
    record = json.loads((own / "artifact.json").read_text())
    store.write_json(own / "artifact.json", record | {"source": {"sha256": source}, "signature": signature.to_json()})
    return own


def found(own: Path, runtime: str, pool: Any, ceilings: Ceilings | None = None) -> dict[str, Any]:
    arrays = {"x": np.zeros((1, 4), np.float32)}
    row = registry.runtime(runtime)
    return stage.details(own, open_artifact(own), arrays, row, pool, (1, 2), ceilings or Ceilings())


def test_an_onnx_file_is_placed_and_counted_itself(tmp_path: Path) -> None:
    placed = {"is_known": True, "summary": {}}
    pool = ScriptedPool(place=placed, count=WORK, measure=LEVEL)
    told = found(folder(tmp_path, "onnx"), "ort-cpu", pool)
    assert (told["placement"], told["work"]) == (placed, WORK)
    assert {name: how.get("is_fresh", False) for name, _, how in pool.calls}["place"]


def test_a_runtime_that_does_not_tell_is_not_asked(tmp_path: Path) -> None:
    pool = ScriptedPool(count=WORK, measure=LEVEL)
    told = found(folder(tmp_path, "torchscript"), "torch-jit", pool)
    assert told["placement"] == {"is_known": False, "reason": "torch-jit does not tell which operators ran where"}
    assert "'torchscript' is not counted" in told["work"]["reason"]
    assert [name for name, *_ in pool.calls] == ["measure"]


@pytest.mark.parametrize(("change", "is_counted"), [
    ({}, True), ({"source": "s2"}, False), ({"signature": Signature(SIGNATURE.outputs, SIGNATURE.outputs)}, False),
])  # fmt: skip
def test_other_formats_are_counted_in_the_onnx_file_of_the_same_source(
    tmp_path: Path, change: dict[str, Any], is_counted: bool
) -> None:
    own = folder(tmp_path, "torchscript")
    folder(tmp_path, "onnx", **change)
    told = found(own, "torch-jit", ScriptedPool(count=WORK, measure=LEVEL))
    assert told["work"]["is_known"] == is_counted
    if is_counted:
        assert told["work"] == WORK | {"counted_from": "the ONNX file in ../onnx"}


def test_what_fails_says_why_and_stops_nothing(tmp_path: Path) -> None:
    broken = IsoformError("no such operator", "Look.", kind="load")
    told = found(folder(tmp_path, "onnx"), "ort-cpu", ScriptedPool(place=broken, count=broken, measure=broken))
    reason = {"is_known": False, "reason": "no such operator"}
    assert told == {"placement": reason, "work": reason, "ceilings": reason}


def test_the_machine_is_measured_once_and_blas_has_one_thread(tmp_path: Path) -> None:
    pool, shared = ScriptedPool(place=WORK, count=WORK, measure=LEVEL), Ceilings()
    own = folder(tmp_path, "onnx")
    first, second = (found(own, "ort-cpu", pool, shared)["ceilings"] for _ in range(2))
    assert first == second
    ((_, arguments, how),) = [call for call in pool.calls if call[0] == "measure"]
    assert arguments == {"threads": [1, 2]}
    assert how["environment"]["OPENBLAS_NUM_THREADS"] == "1"
    assert first["threads"]["2"]["bytes_per_s"] == 6e6  # 100 bytes fit the second level; the third was no slower


def test_more_threads_allow_no_less_than_fewer(tmp_path: Path) -> None:
    """Where other work took the processor while more of them were measured."""

    class Busy(ScriptedPool):
        def call(self, function: str, arguments: Any, **how: Any) -> Answer:
            slow = {"flops_per_s": 5e8, "memory_bytes_per_s": 2e6, "levels": [[64, 1e6], [128, 8e6], [4096, 1e6]]}
            return Answer({"kernel": "numpy", "threads": {"1": LEVEL, "2": slow}}, 0.1, 1, 0.1)

    told = Ceilings().of([1, 2], Busy(), 100)["threads"]  # type: ignore[arg-type]
    assert told["2"]["flops_per_s"] == 1e9
    assert (told["2"]["memory_bytes_per_s"], told["2"]["bytes_per_s"]) == (2e6, 8e6)
    assert told["2"]["levels"] == [[64, 9e6], [128, 8e6], [4096, 6e6]]
    assert told["1"] == LEVEL | {"bytes_per_s": 6e6}


class Multiplying(ScriptedPool):
    """Says how fast each number of threads multiplies integers: two are slower here, as others run beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[int]] = []

    def call(self, function: str, arguments: Any, **how: Any) -> Answer:
        if not function.endswith(":integers"):
            return Answer(
                {"kernel": "numpy", "threads": {str(count): LEVEL for count in arguments["threads"]}}, 0.1, 1, 0.1
            )
        self.asked.append(arguments["threads"])
        rates = {1: 8e9, 2: 7e9, 4: 2e10}
        rows = {str(count): {"integer_ops_per_s": rates[count]} for count in arguments["threads"]}
        return Answer({"integer_kernel": "MatMulInteger", "threads": rows}, 0.1, 1, 0.1)


def test_the_ceiling_of_integers_is_measured_once_and_only_where_some_compute() -> None:
    pool, ceilings = Multiplying(), Ceilings()
    assert "integer_ops_per_s" not in ceilings.of([1, 2], pool)["threads"]["1"]  # type: ignore[arg-type]
    assert pool.asked == []
    found = ceilings.of([1, 2], pool, has_integers=True)  # type: ignore[arg-type]
    assert {count: row["integer_ops_per_s"] for count, row in found["threads"].items()} == {"1": 8e9, "2": 8e9}
    assert (found["integer_kernel"], found["kernel"]) == ("MatMulInteger", "numpy")
    found = ceilings.of([2, 4], pool, has_integers=True)  # type: ignore[arg-type]
    assert found["threads"]["4"]["integer_ops_per_s"] == 2e10
    assert pool.asked == [[1, 2], [4]]


def test_without_onnx_runtime_no_ceiling_of_integers_is_made_up(monkeypatch: Any) -> None:
    monkeypatch.setattr("isoform.stages.ceilings.find_spec", lambda module: None)
    found = Ceilings().of([1], Multiplying(), has_integers=True)  # type: ignore[arg-type]
    assert found["integer_kernel"] is None
    assert "integer_ops_per_s" not in found["threads"]["1"]


@pytest.mark.parametrize(("moved", "expected"), [(64, 9e6), (65, 6e6), (4097, 1e6), (None, 1e6)])
def test_the_bandwidth_is_that_of_what_holds_as_much(moved: int | None, expected: float) -> None:
    assert bytes_per_s(LEVEL, moved) == expected


def record_of(tmp_path: Path, **details: Any) -> dict[str, Any]:
    """Return a record as it is written, of a median of 20 ms, read and written once more."""
    own = artifact(tmp_path, "m", "onnx", "PASS")
    measured(own, 20_000_000, **details)
    (written,) = json.loads((own / "bench.json").read_text())["records"]
    return BenchRecord.from_json(written).to_json()


CEILINGS = {"kernel": "numpy", "threads": {"1": LEVEL | {"bytes_per_s": 1e7}}}


def test_the_roofline_stands_in_the_summary_of_its_timing(tmp_path: Path) -> None:
    written = record_of(tmp_path, work=WORK, ceilings=CEILINGS)
    reached = written["timings"][0]["summary"]["roofline"]
    assert reached["achieved_flops_per_s"] == pytest.approx(50_000)  # 1000 operations in 20 ms
    assert reached["share"] == pytest.approx(50_000 / 1e8)  # 10 MB/s x 10 operations a byte
    assert (written["work"], written["ceilings"]) == (WORK, CEILINGS)


@pytest.mark.parametrize("details", [
    {}, {"work": WORK}, {"work": {"is_known": False, "reason": "no"}, "ceilings": CEILINGS},
    {"work": WORK, "ceilings": {"is_known": False, "reason": "no"}},
    {"work": WORK, "ceilings": CEILINGS, "placement": {"is_known": True, "summary": {"mac_share_integer": 0.9}}},
])  # fmt: skip
def test_without_all_of_it_or_on_integers_there_is_none(tmp_path: Path, details: dict[str, Any]) -> None:
    assert "roofline" not in record_of(tmp_path, **details)["timings"][0]["summary"]
