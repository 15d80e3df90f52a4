"""Runs the tasks of a stage: local threads, each waiting for the child that does the work.

Tasks are independent: one that fails never stops the others. Results come back in the order of the tasks.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Task = TypeVar("Task")
Record = TypeVar("Record")


def run_all(
    tasks: Sequence[Task], run: Callable[[Task], Record], workers: int, cancel: Callable[[], None]
) -> list[Record]:
    """Return ``run(task)`` for every task, at most ``workers`` at a time.

    Args:
        cancel: called if this is interrupted or a task raises; it has to make the running tasks end soon.
    """
    return list(run_each(tasks, run, workers, cancel))


def run_each(
    tasks: Sequence[Task], run: Callable[[Task], Record], workers: int, cancel: Callable[[], None]
) -> Iterator[Record]:
    """Yield what `run_all` returns, each as soon as it is there and those before it are."""
    with ThreadPoolExecutor(max_workers=max(1, workers)) as threads:
        futures = [threads.submit(run, task) for task in tasks]
        try:
            for future in futures:
                yield future.result()
        except BaseException:  # Ctrl-C too: what still runs has to end, then the same error goes on
            threads.shutdown(wait=False, cancel_futures=True)
            cancel()
            raise
