"""How a model is trained: every option of a manifest's [train] section, which ``isoform train`` has as flags too.

To add one: a field below with its help and what it may be, and what the loop or both learners make of it.

``batch_size`` is what one step of the optimizer sees, whatever computes it: in how many parts, by how many workers and
with which activations kept changes memory and time, not what is learnt.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from isoform.core import spelling
from isoform.errors import UsageError

OFF = "off"
_HELD_OUT = 0.1


def _option(default: Any, told: str, *, least: float | None = None, words: Iterable[str] = ()) -> Any:
    """Return a field with what its flag says: the smallest number it may be, or the words that it may be."""
    return field(default=default, metadata={"help": told, "least": least, "words": tuple(words)})


@dataclass(frozen=True)
class TrainingPlan:
    """What a training is told.

    Attributes:
        loss: "categorical" (class probabilities against integer labels) or "binary"; the network decides it, so it
            stands in the manifest only.
        schedule: see `isoform.core.schedule`.
    """

    epochs: int = _option(5, "Passes over the training samples, at most.", least=0)
    batch_size: int = _option(32, "Samples that one step of the optimizer sees.", least=1)
    learning_rate: float = _option(1e-3, "The step size that the schedule begins with.", least=0)
    loss: str = field(default="categorical", metadata={"words": ("categorical", "binary")})
    seed: int = _option(0, "Of weights, order of samples, dropout and what is held out.", least=0)
    schedule: str = _option(
        "linear", "How the learning rate falls.", words=("constant", "linear", "cosine", "step")
    )  # fmt: skip
    warmup_steps: int = _option(0, "Steps over which the learning rate grows to the schedule's.", least=0)
    step_epochs: int = _option(10, "Epochs between two falls of the schedule 'step'.", least=1)
    step_factor: float = _option(0.1, "What the schedule 'step' multiplies with.", least=0)
    patience: int = _option(0, "Stop after so many epochs without a better one; 0 never.", least=0)
    min_delta: float = _option(0.0, "By how much an epoch has to be better to count.", least=0)
    monitor: str = _option("loss", "What is compared, on samples held out.", words=("loss", "accuracy"))
    keep: str = _option("last", "Which epoch's weights become the checkpoint.", words=("last", "best"))
    validation_share: float = _option(
        0.0, f"Share of the training samples held out; {_HELD_OUT} where --patience or --keep best needs some.", least=0
    )  # fmt: skip
    mixed_precision: str = _option(
        OFF, "What layers compute in while training; weights, evaluation and checkpoint stay float32.",
        words=(OFF, "float16", "bfloat16"),
    )  # fmt: skip
    accumulate: int = _option(1, "Parts that a batch is computed in, one after the other, for less memory.", least=1)
    recompute: bool = _option(False, "Keep fewer activations, and compute the others again for their gradients.")
    workers: int = _option(1, "Processes that each compute their share of every batch.", least=1)

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            wanted = _wanted(option.name, option.metadata, value)
            if wanted:
                raise UsageError(f"{option.name} is {value!r}.", wanted)
        if self.validation_share >= 1:
            raise UsageError(f"validation_share is {self.validation_share!r}.", "Give a share below 1, such as 0.1.")

    @property
    def held_out(self) -> float:
        """The share of the training samples that epochs are judged by."""
        is_judged = self.patience > 0 or self.keep == "best"
        return self.validation_share or (_HELD_OUT if is_judged else 0.0)

    def with_options(self, options: Mapping[str, Any]) -> "TrainingPlan":
        """Return the plan with some of its options replaced.

        Raises:
            UsageError: there is no such option, or not with this value.
        """
        refuse_unknown(options)
        return replace(self, **options)


NAMES = tuple(option.name for option in fields(TrainingPlan))


def refuse_unknown(names: Iterable[str]) -> None:
    """Raise UsageError for the first name that no option has."""
    for name in names:
        if name not in NAMES:
            raise UsageError(f"There is no training option '{name}'.", spelling.hint(name, NAMES))


def _wanted(name: str, told: Mapping[str, Any], value: Any) -> str | None:
    """Return what to give instead of ``value``; None where it may be."""
    kind: type = {option.name: type(option.default) for option in fields(TrainingPlan)}[name]
    words, least = told.get("words", ()), told.get("least")
    if words:
        return None if value in words else spelling.hint(str(value), words)
    if kind is bool:
        return None if isinstance(value, bool) else "Give true or false."
    is_number = isinstance(value, int) or (kind is float and isinstance(value, float) and math.isfinite(value))
    if isinstance(value, bool) or not is_number or value < least:
        return f"Give a {'whole number' if kind is int else 'number'} from {least} on."
    return None
