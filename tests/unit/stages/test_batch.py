"""Jobs of a batch: each by itself, failures of all kinds kept, and nothing written twice."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from isoform.errors import INTERNAL_ERROR, MissingDependency, UsageError
from isoform.intake.jobs_file import Entry
from isoform.isolation import PoolClosed
from isoform.stages import batch
from isoform.stages.export import Result

POOL: Any = None


def jobs(*entries: Entry, out: Path = Path("out")) -> list[batch.Job]:
    return batch.jobs(entries, out, is_forced=False, is_verified=True)


def entry(place: int, source: str, *formats: str, **options: Any) -> Entry:
    return Entry(place, Path(source), {"to": formats or ("onnx",), **options})


def test_two_jobs_that_would_write_one_artifact() -> None:
    with pytest.raises(UsageError, match="Jobs 1 and 3 both write out/net/onnx"):
        jobs(entry(1, "a/net.pt", "onnx"), entry(2, "b/other.pt"), entry(3, "c/net.onnx", "tflite", "onnx"))
    assert len(jobs(entry(1, "a/net.pt", "onnx"), entry(2, "b/net.pt", "tflite"), entry(3, "c/net.pt", name="x"))) == 3


def test_one_format_that_there_is_not_stops_all_before_anything_is_done() -> None:
    with pytest.raises(UsageError, match="There is no format 'onyx'"):
        jobs(entry(1, "a.pt"), entry(2, "b.pt", "onyx"))


def test_whatever_goes_wrong_is_the_jobs_record(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = jobs(entry(1, "a.pt"), entry(2, "b.pt"), entry(3, "c.pt"))

    def convert(request: Any, pool: Any, on_event: Any) -> list[Result]:
        if request.source == Path("a.pt"):
            raise MissingDependency.of("torch", "This", "torch")
        if request.source == Path("b.pt"):
            raise ZeroDivisionError("by zero")
        error = UsageError("'x' is odd.", "mend it")
        return [Result("c", "torch", "onnx", "passed"), Result("c", "torch", "tflite", "failed", error=error)]

    monkeypatch.setattr(batch, "convert", convert)
    done = [batch.run(job, POOL, lambda *_: None) for job in (one, two, three)]
    assert [each.exit_code for each in done] == [3, INTERNAL_ERROR, 2]
    record = batch.record(done)
    assert [row["error"] and row["error"]["kind"] for row in record["jobs"]] == ["missing-dependency", "bug", None]
    assert record["counts"] == {
        "jobs": 3, "results": 2, "reused": 0, "passed": 1, "failed": 1, "unverified": 0, "not_opened": 2,
    }  # fmt: skip
    assert {tuple(cause["subjects"]) for cause in record["causes"]} == {("a",), ("b",), ("c/tflite",)}


def test_a_full_disk_is_one_cause_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(request: Any, pool: Any, on_event: Any) -> list[Result]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"out/{request.model_name}")

    monkeypatch.setattr(batch, "convert", convert)
    done = [batch.run(job, POOL, lambda *_: None) for job in jobs(entry(1, "a.pt"), entry(2, "b.pt"))]
    assert {each.exit_code for each in done} == {4}
    (cause,) = batch.record(done)["causes"]
    assert cause["subjects"] == ["a", "b"]
    assert "out/a: No space left on device." in str(cause)


def test_what_is_kept_of_many_has_no_records_of_verifications() -> None:
    (job,) = jobs(entry(1, "a.pt"))
    result = Result("a", "torch", "onnx", "passed", parity={"ort-cpu": {"verdict": "PASS"}}, verdict="PASS")
    done = batch.Done(job, (result,), exit_code=0)
    assert done.slim.results[0].parity == {}
    assert batch.record([done.slim])["counts"] == batch.record([done])["counts"]


def test_an_interruption_is_no_failure_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(request: Any, pool: Any, on_event: Any) -> list[Result]:
        raise PoolClosed

    monkeypatch.setattr(batch, "convert", convert)
    with pytest.raises(PoolClosed):
        batch.run(jobs(entry(1, "a.pt"))[0], POOL, lambda *_: None)


def test_the_files_options_reach_the_conversion() -> None:
    options = {"name": "net", "arch": "n:b", "arch_args": {"k": 1}, "via": "onnx", "verify": False}
    asked = entry(1, "a.pt", "onnx", precision=("fp16",), **options)
    (job,) = batch.jobs([asked], Path("out"), is_forced=True, is_verified=True)
    request = job.request
    assert (request.model_name, request.arch, request.arch_arguments, request.via) == ("net", "n:b", {"k": 1}, "onnx")
    assert (request.is_verified, request.is_forced, request.precisions) == (False, True, ("fp16",))
