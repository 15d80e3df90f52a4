"""The verb bench with a pool that answers from a script: what is asked, what is recorded, what is skipped."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isoform import registry, store
from isoform.cache import open_store
from isoform.core import machine
from isoform.core.artifact import Artifact
from isoform.core.bench import BenchOptions, BenchRecord
from isoform.core.cases import Cases, save
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError, UsageError
from isoform.isolation import Answer
from isoform.stages import bench

SIGNATURE = Signature(
    (TensorSpec("tokens", "int64", ("batch", "length")),), (TensorSpec("probability", "float32", ("batch", 1)),)
)
QUICK = BenchOptions(processes=2, threads=(1,), rounds=3)


class ScriptedPool:
    """Answers every call with latencies of its own, and keeps what it was asked."""

    def __init__(self, **overrides):
        self.calls, self.overrides = [], overrides

    def call(self, function, arguments, *, needs, root=None, is_fresh=False):
        with np.load(arguments["inputs"]) as archive:
            arrays = [archive[name] for name in archive.files]
        self.calls.append({**arguments, "function": function, "needs": needs, "is_fresh": is_fresh, "arrays": arrays})
        value = {
            "import_ns": 5, "load_ns": 4, "first_ns": 3, "warmup_ns": 9, "warmup_runs": 40, "is_steady": True,
            "latencies_ns": [len(self.calls) * 10] * arguments["rounds"], "run_latencies_ns": [99],
            "imported_rss_bytes": 100,
            "peak_rss_bytes": 200, "device": "cpu", "is_optimised": True, "versions": {"onnxruntime": "1"},
        }  # fmt: skip
        overrides = {name: values[len(self.calls) - 1] for name, values in self.overrides.items()}
        return Answer(value | overrides, 0.1, 200, 0.1)


@pytest.fixture
def folder(tmp_path):
    """A published artifact, as export leaves it."""
    path = tmp_path / "exports" / "reader" / "torch" / "onnx"
    path.mkdir(parents=True)
    (path / "model.onnx").write_bytes(b"graph")
    (path / "model.onnx.data").write_bytes(b"w" * 1000)
    rows = [{"tokens": np.arange(n * length).reshape(n, length)} for n, length in ((1, 7), (3, 32), (2, 90))]
    save(Cases(("representative", "representative", "gaussian"), tuple(rows)), path / "cases.npz")
    record = {
        "schema_version": 1, "name": "reader", "framework": "torch", "format": "onnx", "model": "model.onnx",
        "key": "k1",
        "signature": SIGNATURE.to_json(), "files": store.inventory(path),
    }  # fmt: skip
    store.write_json(path / "artifact.json", record)
    return path


def run(folder, pool, options=QUICK, **flags):
    return bench.bench(folder, registry.runtime("ort-cpu"), pool, options, **flags)


def test_every_process_is_fresh_and_thread_counts_take_turns(folder, monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    pool = ScriptedPool()
    record, _ = run(folder, pool, BenchOptions(processes=2, rounds=3))
    assert [call["threads"] for call in pool.calls] == [1, 8, 1, 8]
    assert all(call["is_fresh"] for call in pool.calls)
    assert {call["needs"] for call in pool.calls} == {"onnxruntime"}
    assert [timing.medians_ns for timing in record.timings] == [(10, 30), (20, 40)]


def test_on_one_core_all_threads_are_one_and_measured_once(folder, monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 1)
    record, _ = run(folder, ScriptedPool(), BenchOptions(processes=1, rounds=3))
    assert [timing.threads for timing in record.timings] == [1]


def test_the_query_is_the_largest_representative_case_repeated_to_the_batch(folder):
    pool = ScriptedPool()
    record, _ = run(folder, pool, BenchOptions(processes=1, threads=(1,), batch=4, rounds=3))
    tokens = pool.calls[0]["arrays"][0]
    assert tokens.shape == (4, 32)
    assert (tokens[3] == tokens[0]).all()
    assert record.inputs == ("tokens:int64[4,32]",)


def test_the_record_says_what_was_measured_and_where(folder):
    record, is_reused = run(folder, ScriptedPool())
    assert not is_reused
    assert record.size_bytes == 1005
    assert record.machine == machine.describe()
    assert record.versions == {"onnxruntime": "1"}
    assert (record.device, record.is_optimised, record.batch, record.runtime) == ("cpu", True, 1, "ort-cpu")
    written = json.loads((folder / "bench.json").read_text())
    assert [BenchRecord.from_json(entry) for entry in written["records"]] == [record]


def test_an_unchanged_artifact_is_not_measured_again(folder):
    first, _ = run(folder, ScriptedPool())
    pool = ScriptedPool()
    second, is_reused = run(folder, pool)
    assert is_reused
    assert pool.calls == []
    assert second == first


def test_force_measures_again_and_replaces_the_record(folder):
    run(folder, ScriptedPool())
    _, is_reused = run(folder, ScriptedPool(), is_forced=True)
    assert not is_reused
    assert len(bench.read(folder)) == 1


@pytest.mark.parametrize("change", ["artifact", "options", "machine", "inputs"])
def test_what_a_figure_depends_on_makes_it_stale(folder, monkeypatch, change):
    run(folder, ScriptedPool())
    options = QUICK
    if change == "artifact":
        store.write_json(folder / "artifact.json", store.read_json(folder / "artifact.json") | {"key": "k2"})
    elif change == "options":
        options = BenchOptions(processes=2, threads=(1,), rounds=4)
    elif change == "machine":
        monkeypatch.setattr(machine, "_cpu", lambda: "another")
    else:
        save(Cases(("given",), ({"tokens": np.ones((1, 5), np.int64)},)), folder / "cases.npz")
    _, is_reused = run(folder, ScriptedPool(), options)
    assert not is_reused


def test_another_batch_joins_the_first_and_another_runtime_too(folder):
    run(folder, ScriptedPool())
    run(folder, ScriptedPool(), BenchOptions(processes=1, threads=(1,), batch=8, rounds=3))
    bench.bench(folder, registry.runtime("ort-cuda"), ScriptedPool(), QUICK)
    assert [(entry.runtime, entry.batch) for entry in bench.read(folder)] == [
        ("ort-cpu", 1), ("ort-cpu", 8), ("ort-cuda", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("content", ["{", "[]", '{"schema_version": 99, "records": [1]}'])
def test_a_bench_json_that_is_not_ours_is_as_if_never_written(folder, content):
    (folder / "bench.json").write_text(content)
    assert bench.read(folder) == []
    assert run(folder, ScriptedPool())[1] is False


def test_records_of_an_earlier_way_of_measuring_are_not_mixed_with_new_ones(folder):
    run(folder, ScriptedPool())
    document = json.loads((folder / "bench.json").read_text())
    store.write_json(folder / "bench.json", document | {"schema_version": 1})
    run(folder, ScriptedPool(), BenchOptions(processes=1, threads=(1,), batch=8, rounds=3))
    assert [entry.batch for entry in bench.read(folder)] == [8]


def test_a_runtime_that_does_not_open_the_format_is_refused(folder):
    with pytest.raises(UsageError) as caught:
        bench.bench(folder, registry.runtime("litert"), ScriptedPool(), QUICK)
    assert str(caught.value) == "The runtime 'litert' does not open 'onnx'."
    assert caught.value.hint == "It opens: tflite."


def test_a_batch_that_the_model_fixes_is_not_silently_changed():
    signature = Signature((TensorSpec("x", "float32", (1, 4)),), ())
    cases = Cases(("given",), ({"x": np.zeros((1, 4), "float32")},))
    with pytest.raises(UsageError) as caught:
        bench.prepare(cases, Artifact("onnx", Path("m.onnx"), signature), 8)
    assert str(caught.value) == "'x' has the fixed batch 1, so batch 8 cannot be measured."
    assert caught.value.hint == "Pass --batch 1."


def test_an_input_without_the_batch_dimension_is_left_alone():
    signature = Signature((TensorSpec("x", "float32", ("batch", 4)), TensorSpec("scale", "float32", (1,))), ())
    cases = Cases(("given",), ({"x": np.zeros((2, 4), "float32"), "scale": np.ones(1, "float32")},))
    query = bench.prepare(cases, Artifact("onnx", Path("m.onnx"), signature), 8)
    assert query.described == ("x:float32[8,4]", "scale:float32[1]")


def test_equal_bytes_of_another_shape_have_another_digest():
    flat, square = bench.Query({"x": np.zeros(4)}), bench.Query({"x": np.zeros((2, 2))})
    assert flat.digest != square.digest


def test_processes_that_ran_on_different_devices_are_no_benchmark(folder):
    with pytest.raises(IsoformError) as caught:
        run(folder, ScriptedPool(device=["cpu", "cuda"]))
    assert str(caught.value) == "The processes of one benchmark differ in their device: ['cpu', 'cuda']."
    assert not (folder / "bench.json").exists()


def test_progress_counts_the_processes(folder):
    events = []
    run(folder, ScriptedPool(), on_progress=events.append)
    assert events == [
        {"process": 1, "processes": 2, "threads": 1},
        {"process": 2, "processes": 2, "threads": 1},
    ]


@pytest.mark.parametrize(("limit_s", "turns"), [(None, 5), (100.0, 5), (35.0, 3), (20.0, 2), (19.9, 1), (0.0, 1)])
def test_no_turn_begins_that_would_end_too_late_but_the_first_always_does(folder, monkeypatch, limit_s, turns):
    clock = [0.0]
    monkeypatch.setattr(bench.time, "monotonic", lambda: clock[0])

    class SlowPool(ScriptedPool):
        def call(self, *words, **names):
            clock[0] += 5.0  # two numbers of threads: a turn takes 10 s
            return super().call(*words, **names)

    record, _ = run(folder, SlowPool(), BenchOptions(processes=5, threads=(1, 3), rounds=3), limit_s=limit_s)
    assert [len(timing.processes) for timing in record.timings] == [turns, turns]


def test_a_record_made_in_less_time_is_reused(folder):
    run(folder, ScriptedPool(), limit_s=0.0)
    record, is_reused = run(folder, ScriptedPool())
    assert (len(record.timings[0].processes), is_reused) == (1, True)


def test_the_size_of_a_folder_is_that_of_all_its_files(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"12345")
    (tmp_path / "variables" / "data").write_bytes(b"123")
    assert bench.size_bytes(tmp_path) == 8


@pytest.fixture
def cache(tmp_path):
    return open_store(str(tmp_path / "store"), pytest.fail)


def test_what_was_measured_on_this_machine_comes_out_of_a_store_and_says_so(folder, cache):
    first, _ = run(folder, ScriptedPool(), cache=cache)
    (folder / "bench.json").unlink()
    pool, told = ScriptedPool(), []
    second, is_reused = run(folder, pool, cache=cache, on_hit=told.append)
    assert (second, is_reused, pool.calls) == (first, True, [])
    assert told[0].startswith("from the store, of 20")
    assert bench.read(folder) == [first]


@pytest.mark.parametrize("change", ["machine", "driver", "options", "file", "force"])
def test_figures_of_anything_else_do_not(folder, cache, monkeypatch, change):
    run(folder, ScriptedPool(), cache=cache)
    (folder / "bench.json").unlink()
    pool, flags = ScriptedPool(), {}
    if change == "machine":
        here = replace(machine.describe(), cpu="another")
        monkeypatch.setattr(machine, "describe", lambda: here)
    elif change == "driver":
        monkeypatch.setattr(machine, "accelerators", lambda: ["580.65.06"])
    elif change == "options":
        flags["options"] = replace(QUICK, rounds=4)
    elif change == "file":
        (folder / "model.onnx").write_bytes(b"grapH")
    else:
        flags["is_forced"] = True
    _, is_reused = run(folder, pool, cache=cache, **flags)
    assert not is_reused
    assert len(pool.calls) == 2
