"""Dynamic batching: requests that wait at the same time are computed together, along the axis that is their batch.

While the model computes, requests collect; whenever it is free, it takes the oldest and all that fit to it. Only shapes
decide what fits. Not aware of HTTP or of what computes.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from isoform.core.protocols import Array

Compute = Callable[[Mapping[str, Array]], Mapping[str, Array]]


class Overloaded(Exception):
    """As many requests wait as may."""


class Observer(Protocol):
    """What is told of every batch."""

    def computed(self, samples: int, seconds: float) -> None:
        """``samples`` were computed together in ``seconds``."""


@dataclass(frozen=True)
class BatchOptions:
    """How requests are put together.

    Attributes:
        max_samples: the most that are computed together; a request with more is computed by itself.
        max_delay_s: how long the oldest request waits for others where the model is free.
        max_waiting: how many requests may wait.
    """

    max_samples: int = 32
    max_delay_s: float = 0.002
    max_waiting: int = 1024


@dataclass(frozen=True)
class Computed:
    """What one request gets.

    Attributes:
        batch_size: how many samples were computed together, its own among them.
        batch_begin: where among them its own begin.
    """

    outputs: dict[str, Array]
    batch_size: int
    batch_begin: int


@dataclass
class _Waiting:
    inputs: Mapping[str, Array]
    since: float
    answer: "asyncio.Future[Computed]" = field(repr=False)

    @property
    def samples(self) -> int:
        array = next(iter(self.inputs.values()), np.zeros(1))
        return array.shape[0] if array.ndim else 1

    @property
    def kind(self) -> tuple[tuple[int, ...], ...]:
        """What has to be equal of requests that are computed together."""
        return tuple(array.shape[1:] for array in self.inputs.values())


class Batcher:
    """A queue before a function that computes in a thread of its own; use it within one event loop.

    Args:
        is_batched: whether requests may be put together; without it each is computed by itself, in order.
    """

    def __init__(self, compute: Compute, is_batched: bool, options: BatchOptions, observer: Observer) -> None:
        self._compute = compute
        self._most = options.max_samples if is_batched else 1
        self._options = options
        self._observer = observer
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to answer, in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def close(self) -> None:
        """Stop answering; who waits still is told that it was cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for waiting in self._waiting:
            waiting.answer.cancel()
        self._thread.shutdown()

    async def submit(self, inputs: Mapping[str, Array]) -> Computed:
        """Return what the model answers to ``inputs``.

        Raises:
            Overloaded: too many requests wait.
            Exception: what the runtime raised for these inputs.
        """
        if len(self._waiting) >= self._options.max_waiting:
            raise Overloaded
        loop = asyncio.get_running_loop()
        waiting = _Waiting(inputs, loop.time(), loop.create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        return await waiting.answer

    async def _work(self) -> None:
        while True:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            await self._until_full_or_due()
            await self._answer(self._taken())

    async def _until_full_or_due(self) -> None:
        oldest, loop = self._waiting[0], asyncio.get_running_loop()
        due = oldest.since + self._options.max_delay_s
        while sum(each.samples for each in self._waiting if each.kind == oldest.kind) < self._most:
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(due):
                    await self._arrived.wait()
            except TimeoutError:
                return
            if loop.time() >= due:
                return

    def _taken(self) -> list[_Waiting]:
        """Take the oldest request out of the queue, and those behind it that fit, until one of its kind does not."""
        batch = [self._waiting.popleft()]
        left: deque[_Waiting] = deque()
        room = self._most - batch[0].samples
        while self._waiting:
            each = self._waiting.popleft()
            if each.kind != batch[0].kind or room <= 0:
                left.append(each)
            elif each.samples <= room:
                batch.append(each)
                room -= each.samples
            else:
                room = 0
                left.append(each)
        self._waiting.extend(left)
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        """Compute ``batch`` and answer it; where that fails, each request by itself, so that only the culprit fails."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            outputs = await loop.run_in_executor(self._thread, self._compute, _joined(batch))
            parts = _parts(batch, outputs)
        except Exception as error:  # noqa: BLE001 - runtimes raise types of their own; the client is told
            if len(batch) > 1:
                for each in batch:
                    await self._answer([each])
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return
        self._observer.computed(sum(each.samples for each in batch), loop.time() - begin)
        for each, part in zip(batch, parts, strict=True):
            if not each.answer.done():
                each.answer.set_result(part)


def _joined(batch: list[_Waiting]) -> Mapping[str, Array]:
    if len(batch) == 1:
        return batch[0].inputs
    return {name: np.concatenate([each.inputs[name] for each in batch]) for name in batch[0].inputs}


def _parts(batch: list[_Waiting], outputs: Mapping[str, Array]) -> list[Computed]:
    samples = sum(each.samples for each in batch)
    if len(batch) == 1:
        return [Computed(dict(outputs), samples, 0)]
    odd = [name for name, array in outputs.items() if array.shape[:1] != (samples,)]
    if odd:
        raise ValueError(f"output '{odd[0]}' has not one row for each of {samples} samples")
    parts, begin = [], 0
    for each in batch:
        rows = slice(begin, begin + each.samples)
        parts.append(Computed({name: array[rows] for name, array in outputs.items()}, samples, begin))
        begin += each.samples
    return parts
