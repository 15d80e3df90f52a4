"""Work side by side: conversions made ahead while the source is asked for its references, formats proved two at a time.

A conversion is mostly the work of one core, and so is a part of every proof. One thing is done after the other where
the weights leave no room for two children at once. Not aware of how a route is built.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.routes import Route

_COPIES = 10
"""Of the weights: float64 references take six, a conversion two to four (docs/figures.md)."""
_MEMORY = Path("/proc/meminfo")

Names = tuple[str, ...]


def has_room(weight_bytes: int) -> bool:
    """Tell whether one child beside another fits into the memory that is free now; no where that is unknown."""
    try:
        lines = dict(line.split(":", 1) for line in _MEMORY.read_text().splitlines())
    except OSError:
        return False
    return weight_bytes * _COPIES < int(lines["MemAvailable"].split()[0]) * 1024


@contextmanager
def threads(pool: Pool, count: int) -> Iterator[ThreadPoolExecutor]:
    """Give threads that wait for children; what has not begun when the block ends never does."""
    with ThreadPoolExecutor(count) as executor:
        try:
            yield executor
        except Exception:  # this work's own: others may use the pool
            raise
        except BaseException:  # Ctrl-C, or another thread's: what children are at has to end now
            pool.close()
            raise
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


class Ahead:
    """Builds routes one after the other in a thread of its own."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor
        self._waiting: dict[Names, Future[object]] = {}

    def begin(self, build: Callable[[Route], object], routes: Sequence[Route]) -> None:
        """Begin to build ``routes`` in their order; what ``build`` raises it has to raise again when asked itself."""
        self._waiting |= {route.names: self._executor.submit(build, route) for route in routes}

    def finish(self, names: Names) -> None:
        """Wait until this route is built, or given up; until all are where it is another one."""
        mine = self._waiting.get(names)
        for each in [mine] if mine is not None else wait(self._waiting.values()).done:
            with suppress(IsoformError):
                each.result()
