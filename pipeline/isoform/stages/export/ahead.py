"""Conversions made ahead by a second thread, while the source is asked for its references and files are proved.

A conversion is mostly the work of one core; what is asked of it afterwards waits for it here. Nothing is made ahead
where the weights leave no room for two children at once. Not aware of how a route is built.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.routes import Route

_COPIES = 10
"""Of the weights: float64 references take six, a conversion two to four (docs/figures.md)."""
_MEMORY = Path("/proc/meminfo")

Names = tuple[str, ...]


def has_room(weight_bytes: int) -> bool:
    """Tell whether a conversion beside the references fits into the memory that is free now; no where it is unknown."""
    try:
        lines = dict(line.split(":", 1) for line in _MEMORY.read_text().splitlines())
    except OSError:
        return False
    return weight_bytes * _COPIES < int(lines["MemAvailable"].split()[0]) * 1024


class Ahead:
    """Builds routes one after the other in a thread of its own; a context manager that leaves none running."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._threads = ThreadPoolExecutor(max_workers=1)
        self._waiting: dict[Names, Future[object]] = {}

    def begin(self, build: Callable[[Route], object], routes: Sequence[Route]) -> None:
        """Begin to build ``routes`` in their order; what ``build`` raises it has to raise again when asked itself."""
        self._waiting |= {route.names: self._threads.submit(build, route) for route in routes}

    def finish(self, names: Names) -> None:
        """Wait until this route is built, or given up; until all are where it is another one."""
        mine = self._waiting.get(names)
        for each in [mine] if mine is not None else wait(self._waiting.values()).done:
            with suppress(IsoformError):
                each.result()

    def __enter__(self) -> "Ahead":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and not issubclass(kind, IsoformError):
            self._pool.close()  # Ctrl-C: what is being built has to end now
        self._threads.shutdown(cancel_futures=True)
