"""What crosses is JSON, what is run is found by its name, and versions that differ are named."""

import json
import pickletools
from pathlib import Path

import pytest

from isoform.errors import UsageError
from isoform.executor import versions
from isoform.executor.tasks import Answer, Task, from_bytes, to_bytes
from isoform.intake import jobs_file
from isoform.stages import batch

JOBS = """
[[jobs]]
source = "weights.pt"
to = ["onnx", "tflite"]
precision = ["fp16"]
arch = "net.py:build"
arch_args = {width = 3}
inputs = ["image:float32[n,3,8,8]:NCHW", "ids:int64[n]:0..9"]
cases = "cases.npz"
allow_pickle = true
memory = "1.5 GB"
gpus = 1
"""


def test_what_a_worker_is_given_to_run_is_a_name_and_bytes() -> None:
    pytest.importorskip("distributed", reason="not installed: pip install 'isoform[cluster]'")
    from distributed.protocol.pickle import dumps

    from isoform.executor import worker

    for function in (worker.run, worker.look, worker.end):
        told = [str(argument) for _, argument, _ in pickletools.genops(dumps(function)) if isinstance(argument, str)]
        assert told in (
            ["isoform.executor.worker", function.__name__],
            [f"isoform.executor.worker {function.__name__}"],
        )


def test_a_job_is_the_same_on_the_other_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jobs.toml").write_text(JOBS)
    monkeypatch.chdir(tmp_path)
    (job,) = batch.jobs(jobs_file.read(Path("jobs.toml")), Path("out"), is_forced=True, is_verified=False)
    monkeypatch.chdir("/")
    crossed = from_bytes(to_bytes(_in(tmp_path, job, monkeypatch)))
    there = batch.Job.from_json(crossed, None)
    assert there.request.source == tmp_path / "weights.pt"
    assert there.request.arch == f"{tmp_path}/net.py:build"
    assert (there.request.cases, there.request.code) == (tmp_path / "cases.npz", tmp_path)
    assert there.request.out == tmp_path / "out"
    same = ("formats", "precisions", "inputs", "arch_arguments", "is_forced", "is_verified", "allow_pickle", "name")
    assert {name: getattr(there.request, name) for name in same} == {name: getattr(job.request, name) for name in same}
    assert there.entry.options["memory"] == 1_500_000_000
    assert "memory" not in there.entry.command
    assert json.loads(to_bytes(there.to_json()))["entry"] == crossed["entry"]


def _in(folder: Path, job: batch.Job, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    with monkeypatch.context() as here:
        here.chdir(folder)
        return job.to_json()


def test_resources_are_memory_and_where_they_are_wanted_gpus() -> None:
    assert Task("convert", "a", {}, (), 5).resources == {"memory": 5}
    assert Task("convert", "a", {}, (), 5, 2).resources == {"memory": 5, "GPU": 2}


def test_an_error_keeps_its_kind_and_exit_code() -> None:
    error = UsageError("wrong", "right it")
    told = {"record": None, "error": error.to_json(), "exit_code": 2, "worker": "w:1"}
    answer = Answer.from_json(told)
    assert (type(answer.error), answer.exit_code, answer.worker) == (UsageError, 2, "w:1")
    assert Answer.refused(error).exit_code == 2


def test_what_differs_is_named_with_both_sides() -> None:
    ours = {"torch": "2.13.0", "numpy": "2.1", "keras": "3"}
    assert versions.differences(ours, {"torch": "2.12.1", "numpy": "2.1"}) == [
        "keras 3 here and unknown there", "torch 2.13.0 here and 2.12.1 there",
    ]  # fmt: skip
    assert versions.differences(ours, ours) == []
    assert {"isoform", "isoform's code", "python", "numpy"} <= versions.here([]).keys()
