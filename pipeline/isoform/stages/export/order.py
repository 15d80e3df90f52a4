"""One model in one framework, trained where needed and exported: what ``isoform export`` asks of a worker, as JSON."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoform.cache import Store
from isoform.core.precision import Variant
from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.stages import train
from isoform.stages.export.models import load_models, request_for
from isoform.stages.export.result import Result
from isoform.stages.export.run import Events, run

Training = Callable[[str, dict[str, Any]], None]
"""Called with the subject and a progress event of a training."""


@dataclass(frozen=True)
class Order:
    """What is wanted of one model in one framework.

    Attributes:
        parameters: those of the manifest that are replaced.
        training: options instead of the manifest's own.
        store: where results may come from and go to.
    """

    model: Path
    framework: str
    parameters: Mapping[str, Any]
    training: Mapping[str, Any]
    variants: tuple[Variant, ...]
    out: Path
    data: Path | None
    is_verified: bool
    is_forced: bool
    store: str | None

    @property
    def name(self) -> str:
        """What the model is called."""
        return load_models([self.model], self.parameters)[0].label

    @property
    def source_bytes(self) -> int:
        """The size of the checkpoint beside the manifest; 0 where there is none yet."""
        (model,) = load_models([self.model], self.parameters)
        path = model.root / model.implementation(self.framework).checkpoint
        return path.stat().st_size if path.is_file() else 0

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes in any folder of any machine: every path is absolute."""
        return {
            **vars(self), "model": os.path.abspath(self.model), "out": os.path.abspath(self.out),
            "data": os.path.abspath(self.data) if self.data is not None else None,
            "parameters": dict(self.parameters), "training": dict(self.training),
            "variants": [[each.format, each.precision] for each in self.variants],
        }  # fmt: skip

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Order":
        data = Path(record["data"]) if record["data"] else None
        variants = tuple(Variant(*each) for each in record["variants"])
        paths = {"model": Path(record["model"]), "out": Path(record["out"]), "data": data}
        return cls(**{**record, **paths, "variants": variants})


def perform(order: Order, pool: Pool, cache: Store | None, on_event: Events, on_training: Training) -> list[Result]:
    """Return one result a variant; a training that failed stands for all of them.

    Raises:
        IsoformError: the manifest cannot be read, or nothing leads to one of the formats.
    """
    models = load_models([order.model], order.parameters)
    (task,) = train.plan(train.TrainRequest(models, order.out, (order.framework,), order.data, options=order.training))
    subject = f"{task.model.label}/{task.framework}"
    if not task.is_current:
        on_event(subject, "training")
    try:
        trained = train.run(task, pool, lambda _, event: on_training(subject, event), cache)
    except IsoformError as error:
        on_event(subject, f"training failed: {error.what}")
        return not_made(task.model.label, task.framework, order.variants, error)
    request = request_for(
        trained, order.variants, order.out, is_verified=order.is_verified, is_forced=order.is_forced, cache=cache
    )
    return run(request, pool, lambda name, text: on_event(f"{subject}/{name}" if name else subject, text))


def not_made(name: str, framework: str, variants: Sequence[Variant], error: IsoformError) -> list[Result]:
    """Return the failed results of a model of which nothing could be made, as its training failed, for one."""
    return [Result(name, framework, each.format, "failed", error=error, precision=each.precision) for each in variants]
