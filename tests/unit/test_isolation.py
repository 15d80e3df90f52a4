"""Children: what they answer, how each way to die is classified, and that none is left behind."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from isoform.errors import ChildFailed, IsoformError, UsageError
from isoform.isolation import Limits, Pool, PoolClosed

JOBS = """
import os, sys, time
from isoform.errors import UsageError

def echo(arguments, progress):
    print("noise on stdout"); sys.stderr.write("noise on stderr\\n")
    progress(step=1); progress(step=2)
    return {"pid": os.getpid(), **arguments}

def usage(arguments, progress): raise UsageError("no such thing", "do another thing")
def foreign(arguments, progress): raise ValueError("first line\\nsecond line")
def unlucky(arguments, progress): raise RuntimeError(arguments["text"])
def absent(arguments, progress): import a_package_that_is_not_there
def quiet_exit(arguments, progress): os._exit(0)
def crash(arguments, progress): os.kill(os.getpid(), 11)
def abort(arguments, progress): os.abort()
def hang(arguments, progress): time.sleep(60)
def greedy(arguments, progress): return {"size": len(bytearray(8 << 30))}
def garbage(arguments, progress):
    for handle in range(3, 12):
        try: os.write(handle, b"not json\\n")
        except OSError: pass
    time.sleep(60)
def large(arguments, progress):
    held = bytearray(300 << 20); held[::4096] = b"x" * len(held[::4096]); return {}
def small(arguments, progress): return {}
def limits(arguments, progress):
    import resource
    return {name: resource.getrlimit(getattr(resource, name)) for name in ("RLIMIT_CORE", "RLIMIT_AS", "RLIMIT_FSIZE")}
def endless_file(arguments, progress):
    with open(arguments["path"], "wb") as file:
        for _ in range(64): file.write(bytes(1 << 20))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "jobs_under_test.py").write_text(JOBS)
    return folder


@pytest.fixture
def pool(tmp_path: Path):
    with Pool(tmp_path / "logs", Limits(timeout_s=30)) as pool:
        yield pool


def call(pool: Pool, root: Path, name: str, **options):
    return pool.call(f"jobs_under_test:{name}", {"x": 1}, needs="python", root=root, **options)


def test_a_job_answers_and_reports_progress_though_it_prints(pool: Pool, root: Path) -> None:
    events: list[dict] = []
    answer = call(pool, root, "echo", on_progress=events.append)
    assert answer.value["x"] == 1
    assert events == [{"step": 1}, {"step": 2}]
    assert answer.peak_rss_bytes > 1 << 20


def test_a_child_is_kept_warm_for_its_repository_and_not_shared_with_another(
    pool: Pool, root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "jobs_under_test.py").write_text(JOBS)
    first, second = call(pool, root, "echo").value["pid"], call(pool, root, "echo").value["pid"]
    assert first == second
    assert call(pool, other, "echo").value["pid"] != first
    assert call(pool, root, "echo", is_fresh=True).value["pid"] != first


def test_our_errors_arrive_as_they_were_raised_and_the_child_lives_on(pool: Pool, root: Path) -> None:
    pid = call(pool, root, "echo").value["pid"]
    with pytest.raises(UsageError) as caught:
        call(pool, root, "usage")
    assert (caught.value.what, caught.value.hint) == ("no such thing", "do another thing")
    assert call(pool, root, "echo").value["pid"] == pid


def test_a_foreign_exception_becomes_one_line_and_its_traceback_is_in_the_log(pool: Pool, root: Path) -> None:
    with pytest.raises(IsoformError) as caught:
        call(pool, root, "foreign")
    assert caught.value.what == "jobs_under_test.foreign failed with ValueError: first line"
    log = Path(caught.value.hint.removeprefix("The traceback is in ").removesuffix("."))
    assert "second line" in log.read_text()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 139.80 GiB",
            "the GPU's memory",
        ),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "the GPU's memory"),
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 281474976710656 bytes.", "memory"),
        ("[ONNXRuntimeError] : 1 : FAIL : Failed to allocate memory for requested buffer of size 1", "memory"),
        ("OOM when allocating tensor with shape[1] on /job:localhost/replica:0/task:0/device:CPU:0", "memory"),
    ],
)
def test_what_a_framework_could_not_allocate_is_out_of_memory(pool: Pool, root: Path, text: str, place: str) -> None:
    with pytest.raises(IsoformError) as caught:
        pool.call("jobs_under_test:unlucky", {"text": text}, needs="python", root=root)
    assert (caught.value.kind, caught.value.what) == ("out-of-memory", f"jobs_under_test.unlucky ran out of {place}.")


def test_a_missing_package_is_named(pool: Pool, root: Path) -> None:
    with pytest.raises(IsoformError, match="needs the package 'a_package_that_is_not_there'") as caught:
        call(pool, root, "absent")
    assert caught.value.kind == "missing-dependency"


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("quiet_exit", "crashed", "ended with exit code 0 and no answer"),
        ("crash", "crashed", "died of SIGSEGV"),
        ("abort", "crashed", "died of SIGABRT"),
        ("garbage", "protocol", "broke the protocol"),
    ],
)
def test_each_way_to_die_has_its_name(pool: Pool, root: Path, name: str, kind: str, text: str) -> None:
    with pytest.raises(ChildFailed) as caught:
        call(pool, root, name)
    assert caught.value.kind == kind
    assert text in caught.value.what
    assert call(pool, root, "small").value == {}


def test_a_hanging_job_is_ended_at_its_time_limit(pool: Pool, root: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(ChildFailed, match="took longer than 0.5 s") as caught:
        call(pool, root, "hang", timeout_s=0.5)
    assert caught.value.kind == "timeout"
    assert time.monotonic() - begin < 5


def test_memory_beyond_the_limit_is_classified(tmp_path: Path, root: Path) -> None:
    with Pool(tmp_path / "logs", Limits(address_space_bytes=2 << 30)) as pool, pytest.raises(IsoformError) as caught:
        call(pool, root, "greedy")
    assert caught.value.kind == "out-of-memory"


def test_a_file_beyond_the_limit_is_not_written(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "endless"
    with Pool(tmp_path / "logs", Limits(file_bytes=4 << 20)) as pool, pytest.raises(IsoformError) as caught:
        pool.call("jobs_under_test:endless_file", {"path": str(path)}, needs="python", root=root)
    assert caught.value.what == "jobs_under_test.endless_file failed with OSError: [Errno 27] File too large"
    assert path.stat().st_size <= 4 << 20


def test_every_limit_holds_in_a_child_though_nobody_asked_for_one(tmp_path: Path, root: Path) -> None:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with Pool(tmp_path / "logs") as pool:
        found = call(pool, root, "limits").value
    assert found == {"RLIMIT_CORE": [0, 0], "RLIMIT_AS": [physical] * 2, "RLIMIT_FSIZE": [physical] * 2}


def test_the_peak_is_that_of_the_call_and_not_of_an_earlier_one(pool: Pool, root: Path) -> None:
    large = call(pool, root, "large").peak_rss_bytes
    small = call(pool, root, "small").peak_rss_bytes
    assert large > 300 << 20
    assert small < 200 << 20


def test_no_child_outlives_its_pool(tmp_path: Path, root: Path) -> None:
    with Pool(tmp_path / "logs") as pool:
        pid = call(pool, root, "echo").value["pid"]
    assert not Path(f"/proc/{pid}").exists() or os.waitpid(pid, os.WNOHANG)


def test_a_call_that_is_interrupted_by_closing_has_not_failed(tmp_path: Path, root: Path) -> None:
    pool = Pool(tmp_path / "logs")
    call(pool, root, "small")
    threading.Timer(0.5, pool.close).start()
    begin = time.monotonic()
    with pytest.raises(PoolClosed):
        call(pool, root, "hang")
    assert time.monotonic() - begin < 10
    with pytest.raises(PoolClosed):
        call(pool, root, "small")


@pytest.mark.parametrize(("job", "is_kept"), [("echo", False), ("usage", False), ("crash", True), ("foreign", True)])
def test_logs_of_nobodys_own_go_with_the_pool_unless_an_error_names_one(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, job: str, is_kept: bool
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Pool(limits=Limits(timeout_s=30)) as pool, suppress(IsoformError):
        call(pool, root, job)
    assert [path.is_dir() for path in tmp_path.glob("isoform-logs.*")] == [True] * is_kept
