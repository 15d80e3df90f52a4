"""One call in a child interpreter: limits, classification, logs, peak memory.

A child runs ``python -P -m isoform._child``, holds one framework and serves many calls. Requests go to its standard
input and answers come back over its former standard output, one JSON document a line; whatever else it prints lands
in its log. Arrays cross as files that the arguments name, never as pickles.
"""

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from isoform.errors import ChildFailed, from_json, tells_of_memory

MAX_ANSWER_BYTES = 64 << 20
GRACE_S = 10.0
_LOOK_S = 0.5
_SHARING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""For warm children, which run side by side: waiting threads must not hold a core. Fresh ones measure."""

Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Limits:
    """What a child may use.

    Attributes:
        address_space_bytes: all memory a child may map; None is the machine's physical memory, 0 no limit.
        file_bytes: the largest file that it may write, its log too; None and 0 as above: what is larger does not map.
        timeout_s: wall-clock time of one call.
    """

    address_space_bytes: int | None = None
    file_bytes: int | None = None
    timeout_s: float = 3600.0


@dataclass(frozen=True)
class Answer:
    """What a job returned, how long it took and the highest resident memory while it ran.

    Attributes:
        cpu_seconds: processor time of all its threads.
    """

    value: dict[str, Any]
    seconds: float
    peak_rss_bytes: int
    cpu_seconds: float


class Child:
    """One child interpreter. Use it through `Pool`."""

    def __init__(self, log: Path, root: Path | None, environment: Mapping[str, str], limits: Limits) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        self._pending = b""
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "isoform._child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=_environment(root, environment, limits) | {"ISOFORM_LOG": str(log)},
                start_new_session=True,
            )

    def call(
        self, function: str, arguments: Mapping[str, Any], timeout_s: float, on_progress: Progress | None
    ) -> Answer:
        """Return what ``function`` answers.

        Raises:
            IsoformError: what the job raised.
            ChildFailed: the child crashed, hung, ran out of memory or broke the protocol; it is gone afterwards.
        """
        deadline = time.monotonic() + timeout_s
        request = json.dumps({"function": function, "arguments": dict(arguments)}).encode() + b"\n"
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died(function) from None
        while True:
            message = self._message(function, deadline, timeout_s)
            if "progress" in message:
                if on_progress is not None:
                    on_progress(message["progress"])
            elif "error" in message:
                raise from_json(message["error"])
            else:
                return Answer(message["value"], message["seconds"], message["peak_rss_bytes"], message["cpu_seconds"])

    def close(self) -> None:
        """End the child and everything it started."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
        self._signal(signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue

    @property
    def pid(self) -> int:
        return self._process.pid

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def _message(self, function: str, deadline: float, timeout_s: float) -> dict[str, Any]:
        line = self._line(function, deadline, timeout_s)
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict) or not message.keys() & {"progress", "error", "value"}:
            self.close()
            raise ChildFailed(
                f"The child broke the protocol at {_step(function)}: {line[:80]!r}.", self._hint(), kind="protocol"
            )
        return message

    def _line(self, function: str, deadline: float, timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not self._is_heard(selector, deadline):
                    self.close()
                    raise ChildFailed(
                        f"{_step(function)} took longer than {timeout_s:g} s and was ended.",
                        f"See how far it came: {self.log}.",
                        kind="timeout",
                    )
                try:
                    chunk = os.read(self._process.stdout.fileno(), 1 << 16)
                except (OSError, ValueError):  # another thread has closed the pipe: the pool is ending
                    chunk = b""
                if not chunk:
                    raise self._died(function)
                self._pending += chunk
                if len(self._pending) > MAX_ANSWER_BYTES:
                    self.close()
                    raise ChildFailed(
                        f"The answer of {_step(function)} exceeds {MAX_ANSWER_BYTES} bytes.",
                        self._hint(),
                        kind="protocol",
                    )
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _is_heard(self, selector: selectors.BaseSelector, deadline: float) -> bool:
        """Return whether the child says something or is gone, until ``deadline``.

        A pipe that another thread closes never wakes who waits for it: the process itself has to be looked at.
        """
        while (left := deadline - time.monotonic()) > 0:
            if selector.select(min(left, _LOOK_S)) or self._process.poll() is not None:
                return True
        return False

    def _died(self, function: str) -> ChildFailed:
        try:
            code = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            code = 0
        self.close()
        tail = self.log.read_bytes()[-4096:].decode(errors="replace")
        if code == -signal.SIGKILL or tells_of_memory(tail):
            return ChildFailed(
                f"{_step(function)} was killed, most likely for memory.",
                f"Free memory or try a smaller model; the log is {self.log}.",
                kind="out-of-memory",
            )
        how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code} and no answer"
        return ChildFailed(f"The child {how} at {_step(function)}.", self._hint(), kind="crashed")

    def _hint(self) -> str:
        return f"The log of the child is {self.log}."


class PoolClosed(Exception):
    """The pool was closed while a call ran or before it began: the command is being interrupted, nothing failed."""


class Pool:
    """Children kept warm, one framework and one user repository each; a context manager that leaves none behind.

    Calls may come from several threads: a busy child is never shared, another one is started.

    Args:
        log_dir: where the logs of children go; without one a temporary folder, which stays after the pool only if an
            error has named a log in it.
    """

    def __init__(self, log_dir: Path | None = None, limits: Limits = Limits()) -> None:
        self._is_temporary = log_dir is None
        self._log_dir = log_dir or Path(tempfile.mkdtemp(prefix="isoform-logs."))
        self.limits = limits
        self._idle: dict[tuple[str, Path | None], list[Child]] = {}
        self._all: set[Child] = set()
        self._lock = threading.Lock()
        self._count = 0
        self.is_closed = False

    def __enter__(self) -> "Pool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def call(
        self,
        function: str,
        arguments: Mapping[str, Any],
        *,
        needs: str,
        root: Path | None = None,
        timeout_s: float | None = None,
        on_progress: Progress | None = None,
        is_fresh: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return what the job ``module:function`` answers in a child that holds the framework ``needs``.

        Args:
            root: the folder of the user's code, first on the child's import path.
            is_fresh: a new interpreter that ends after the call.
            environment: variables for the child; only a fresh one can have its own.

        Raises:
            IsoformError: what the job raised.
            ChildFailed: the child crashed, hung, ran out of memory or broke the protocol.
            PoolClosed: the pool was closed meanwhile.
        """
        if self.is_closed:
            raise PoolClosed
        key = (needs, root)
        is_fresh = is_fresh or bool(environment)
        child = self._start(needs, root, environment or {}) if is_fresh else self._take(key)
        is_reusable = False
        try:
            answer = child.call(function, arguments, timeout_s or self.limits.timeout_s, on_progress)
            is_reusable = not is_fresh
            return answer
        except ChildFailed as error:
            if self.is_closed:
                raise PoolClosed from None
            self.keep_if_named(error)
            raise
        except Exception as error:  # whatever the job raised, the child is well and may serve again
            is_reusable = not is_fresh
            self.keep_if_named(error)
            raise
        finally:
            self._give_back(key, child, is_reusable)

    @contextmanager
    def own(
        self, needs: str, root: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Iterator["OwnChild"]:
        """Give a fresh child for oneself, whose jobs may keep what they opened between calls; it ends with the context.

        Raises:
            PoolClosed: the pool was closed meanwhile.
        """
        if self.is_closed:
            raise PoolClosed
        child = self._start(needs, root, environment or {})
        try:
            yield OwnChild(child, self)
        finally:
            self._end(child)

    def release(self, needs: str) -> None:
        """End the idle children that hold the framework ``needs``, to free their memory."""
        with self._lock:
            keys = [key for key in self._idle if key[0] == needs]
            children = [child for key in keys for child in self._idle.pop(key)]
        for child in children:
            self._end(child)

    def close(self) -> None:
        """End every child, busy or idle."""
        with self._lock:
            self.is_closed = True
            children, self._idle = list(self._all), {}
        for child in children:
            self._end(child)
        if self._is_temporary:
            shutil.rmtree(self._log_dir, ignore_errors=True)

    def keep_if_named(self, error: Exception) -> None:
        """Let the logs stay if this error tells people to look at one."""
        if str(self._log_dir) in getattr(error, "hint", ""):
            self._is_temporary = False

    def _take(self, key: tuple[str, Path | None]) -> Child:
        with self._lock:
            idle = self._idle.get(key)
            if idle:
                return idle.pop()
        return self._start(*key, _SHARING)

    def _start(self, needs: str, root: Path | None, environment: Mapping[str, str]) -> Child:
        with self._lock:
            self._count += 1
            log = self._log_dir / f"{needs}-{os.getpid()}-{self._count}.log"
        child = Child(log, root, environment, self.limits)
        with self._lock:
            self._all.add(child)
        return child

    def _give_back(self, key: tuple[str, Path | None], child: Child, is_reusable: bool) -> None:
        if is_reusable:
            with self._lock:
                self._idle.setdefault(key, []).append(child)
        else:
            self._end(child)

    def _end(self, child: Child) -> None:
        child.close()
        with self._lock:
            self._all.discard(child)


@dataclass(frozen=True)
class OwnChild:
    """One child of a pool, for one user."""

    child: Child
    pool: Pool

    def call(self, function: str, arguments: Mapping[str, Any], on_progress: Progress | None = None) -> Answer:
        """Return what the job answers, as `Pool.call` does."""
        try:
            return self.child.call(function, arguments, self.pool.limits.timeout_s, on_progress)
        except ChildFailed as error:
            if self.pool.is_closed:
                raise PoolClosed from None
            self.pool.keep_if_named(error)
            raise


def _environment(root: Path | None, extra: Mapping[str, str], limits: Limits) -> dict[str, str]:
    ours = {
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "ISOFORM_ROOT": str(root) if root else "",
        "ISOFORM_ADDRESS_SPACE": "" if limits.address_space_bytes is None else str(limits.address_space_bytes),
        "ISOFORM_FILE_SIZE": "" if limits.file_bytes is None else str(limits.file_bytes),
    }
    return {**os.environ, **ours, **extra}


def _step(function: str) -> str:
    return function.rpartition(".")[2].replace(":", ".")
