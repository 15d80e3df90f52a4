"""Children that are alive together and take turns, so that what the machine does meanwhile befalls all of them.

Each holds something open and times rows of queries to it; one at a time is asked, in random order. Groups of fresh
children are the independent samples. Not aware of what is open.
"""

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoform.isolation import Answer, OwnChild, Pool
from isoform.stages.export.ahead import threads

BLOCK = "isoform.jobs.turns:block"
LONGEST = 4
"""Times the shortest block: longer than that no block is made for the sake of equal numbers of queries."""
FEWEST = 20
"""Queries of a block that is cut short so."""


@dataclass(frozen=True)
class Contender:
    """What a child opens.

    Attributes:
        needs: the extra that it takes.
        jobs: called one after the other, each a function's name and its arguments; each returns, among other things,
            ``query_ns``: by name of a query, about how many nanoseconds it takes.
        root: the folder of a user's code that they import.
    """

    needs: str
    jobs: Sequence[tuple[str, Mapping[str, Any]]]
    root: Path | None = None


@dataclass(frozen=True)
class Round:
    """What a group of children came to.

    Attributes:
        answers: by contender, what each of its jobs returned.
        blocks: by contender and query, nanoseconds a query in each block.
    """

    answers: Mapping[str, tuple[Answer, ...]]
    blocks: Mapping[tuple[str, str], tuple[float, ...]]


@dataclass(frozen=True)
class Turns:
    """Contenders, by name, and how long they are asked.

    Attributes:
        blocks: of each query.
        block_s: how long the quickest contender's block of a query takes at least.
        opened_together: how many are opened at a time; more than one where nothing that opening costs is measured.
    """

    contenders: Mapping[str, Contender]
    pool: Pool
    blocks: int
    block_s: float
    opened_together: int = 1

    def group(self, seed: int) -> Round:
        """Open every contender in a fresh child, in random order, and let all of their queries take turns.

        Raises:
            IsoformError: one of them did not open or run.
        """
        generator = random.Random(seed)
        names = list(self.contenders)
        with ExitStack() as stack:
            children = {
                name: stack.enter_context(self.pool.own(self.contenders[name].needs, self.contenders[name].root))
                for name in generator.sample(names, len(names))
            }
            answers = self._opened(children)
            asked = {name: _query_ns(answers[name]) for name in names}
            counts = self._counts(asked)
            items = list(counts)
            blocks: dict[tuple[str, str], list[float]] = {item: [] for item in items}
            for _ in range(self.blocks):
                for name, query in generator.sample(items, len(items)):
                    answer = children[name].call(BLOCK, {"query": query, "queries": counts[name, query]})
                    blocks[name, query].append(answer.value["query_ns"])
        return Round(answers, {item: tuple(found) for item, found in blocks.items()})

    def _opened(self, children: Mapping[str, OwnChild]) -> dict[str, tuple[Answer, ...]]:
        """Return what the jobs of each contender answer, in the order of ``children``."""

        def opened(name: str) -> tuple[Answer, ...]:
            return tuple(children[name].call(job, arguments) for job, arguments in self.contenders[name].jobs)

        with threads(self.pool, self.opened_together) as openers:
            return dict(zip(children, openers.map(opened, children), strict=True))

    def _counts(self, asked: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], int]:
        """Return, by contender and query, how often it is run in a block: as often in one as in another.

        One that is so much slower that its block would be longer than `LONGEST` others is run less often, but never
        less than `FEWEST` times where the quickest is: its lower decile would be that of too few.
        """
        counts = {}
        for name, queries in asked.items():
            for query, nanoseconds in queries.items():
                quickest = min(found[query] for found in asked.values() if query in found)
                fair = max(1, round(self.block_s * 1e9 / quickest))
                bounded = max(FEWEST, round(LONGEST * self.block_s * 1e9 / nanoseconds))
                counts[name, query] = min(fair, bounded)
        return counts


def _query_ns(answers: Sequence[Answer]) -> dict[str, float]:
    found: dict[str, float] = {}
    for answer in answers:
        found |= answer.value["query_ns"]
    return found
