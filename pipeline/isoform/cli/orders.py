"""``isoform export --scheduler``: each model in each framework is one task, trained and exported on a worker."""

from collections.abc import Mapping, Sequence
from typing import Any

from isoform.cli import clusters
from isoform.cli.console import Display
from isoform.executor import memory
from isoform.executor.tasks import Answer, Task
from isoform.stages.export import Order, Result, not_made, outlook


def run(orders: Sequence[Order], place: clusters.Where, display: Display) -> list[Result]:
    """Return what came of every order, one result a variant.

    Raises:
        IsoformError: the cluster as a whole cannot do it.
    """
    found: dict[int, list[Result]] = {}

    def on_event(row: int, event: Mapping[str, Any]) -> None:
        if "text" in event:
            display.step(event["subject"], event["text"], row=row)
        elif "training" in event:
            display.training(event["subject"], event["training"], row=row)
        elif "note" in event:
            display.note(_subject(orders[row]), event["note"])

    def on_done(row: int, answer: Answer) -> None:
        display.settle(row=row)
        found[row] = _results(orders[row], answer)

    known = memory.seen(orders[0].out)
    tasks = [_task(order, known) for order in orders]
    clusters.run_all(place, tasks, orders[0].out, set().union(*map(_modules, orders)), display, on_event, on_done)
    return [result for row in range(len(orders)) for result in found[row]]


def _task(order: Order, known: Sequence[memory.Seen]) -> Task:
    needed = memory.needed(order.framework, order.source_bytes, [each.label for each in order.variants], known)
    return Task("export", _subject(order), order.to_json(), (order.model.absolute(),), needed)


def _modules(order: Order) -> frozenset[str]:
    rows = outlook(order.framework, order.variants, order.out)
    return frozenset().union(*(row.packages for row in rows))


def _results(order: Order, answer: Answer) -> list[Result]:
    if answer.record is not None:
        return list(map(Result.from_json, answer.record["results"]))
    assert answer.error is not None  # an answer is one or the other
    return not_made(order.name, order.framework, order.variants, answer.error)


def _subject(order: Order) -> str:
    return f"{order.name}/{order.framework}"
