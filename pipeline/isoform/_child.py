"""The other side of isolation.py: a loop that takes a request, runs a job and answers, until its parent is gone.

A job is a function ``name(arguments, progress) -> dict`` in isoform.jobs. What it raises becomes one JSON error;
foreign exceptions are turned into ours here and nowhere else, their traceback goes to the log.
"""

import importlib
import json
import os
import queue
import resource
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO, Any

from isoform._user_code import put_first
from isoform.errors import IsoformError, tells_of_memory
from isoform.registry import CONVERTERS, RUNTIMES


def main() -> None:
    """Serve requests from standard input until it closes."""
    requests, answers = _take_over_standard_streams()
    _apply_limits()
    if os.environ.get("ISOFORM_ROOT"):
        needed = {name for row in CONVERTERS.values() for name in row.needs}
        needed |= {name for row in RUNTIMES.values() for name in row.needs}
        put_first(Path(os.environ["ISOFORM_ROOT"]), frozenset(needed))
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, lines), daemon=True).start()
    while True:
        _serve(json.loads(lines.get()), answers)


def _take_over_standard_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Return the pipes to the parent, and leave /dev/null and the log where code expects standard streams."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return requests, answers


def _read(requests: IO[bytes], lines: "queue.SimpleQueue[bytes]") -> None:
    for line in requests:
        lines.put(line)
    os._exit(0)  # the parent closed the pipe or died: even a job that is running has nobody to answer


def _apply_limits() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for kind, name in (
        (resource.RLIMIT_AS, "ISOFORM_ADDRESS_SPACE"), (resource.RLIMIT_FSIZE, "ISOFORM_FILE_SIZE"),
    ):  # fmt: skip
        limit, highest = int(os.environ.get(name) or physical), resource.getrlimit(kind)[1]
        if limit and not 0 <= highest < limit:  # who started us may have set a lower one
            resource.setrlimit(kind, (limit, limit))


def _serve(request: dict[str, Any], answers: IO[bytes]) -> None:
    lock = threading.Lock()

    def send(message: dict[str, Any]) -> None:
        with lock:
            answers.write(json.dumps(message).encode() + b"\n")
            answers.flush()

    _reset_peak_rss()
    begin, cpu_begin = time.monotonic(), time.process_time()
    try:
        module, _, name = request["function"].partition(":")
        job = getattr(importlib.import_module(module), name)
        value = job(request["arguments"], lambda **event: send({"progress": event}))
        message = {
            "value": value,
            "seconds": time.monotonic() - begin,
            "cpu_seconds": time.process_time() - cpu_begin,
            "peak_rss_bytes": peak_rss_bytes(),
        }
    except IsoformError as error:
        traceback.print_exc()
        message = {"error": error.to_json()}
    except Exception as error:  # noqa: BLE001 - the one border where foreign exceptions become ours
        traceback.print_exc()
        message = {"error": _classified(error, request["function"]).to_json()}
    send(message)


def _classified(error: Exception, function: str) -> IsoformError:
    step = function.rpartition(".")[2].replace(":", ".")
    if isinstance(error, MemoryError) or tells_of_memory(str(error)):
        place = "the GPU's memory" if "CUDA" in str(error).upper() else "memory"
        return IsoformError(
            f"{step} ran out of {place}.", "Free memory, or try a smaller model or batch.", kind="out-of-memory"
        )
    if isinstance(error, ModuleNotFoundError):
        return IsoformError(
            f"{step} needs the package '{error.name}', which is not installed.",
            f"Install it into this environment: pip install {error.name}",
            kind="missing-dependency",
        )
    lines = str(error).strip().splitlines()
    summary = f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
    return IsoformError(
        f"{step} failed with {summary}", f"The traceback is in {os.environ.get('ISOFORM_LOG', 'the log')}."
    )


def _reset_peak_rss() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # not Linux, or not permitted: the peak is then that of the whole process


def peak_rss_bytes() -> int:
    """Return the highest resident memory of this process since the call began."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
