"""The options of a training: flags of ``isoform train``, made from `isoform.core.training`, and ``export --train``."""

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

import click

from isoform.cli.options import Command, one_of
from isoform.cli.usage import Word
from isoform.core.training import NAMES, TrainingPlan

NAME = "--train"
SECTIONS = {
    "How long, and how fast": (
        "--epochs", "--batch-size", "--learning-rate", "--schedule", "--warmup-steps", "--step-epochs", "--step-factor",
    ),
    "Which epoch counts": ("--patience", "--min-delta", "--monitor", "--keep", "--validation-share"),
    "How it is computed": ("--mixed-precision", "--accumulate", "--recompute", "--workers"),
}  # fmt: skip

option = click.option(
    NAME, "training", multiple=True, metavar="KEY=VALUE", shell_complete=one_of(f"{name}=" for name in NAMES),
    help="How it is trained, as in [train] of isoform.toml, such as epochs=3; repeatable. See isoform train --help.",
)  # fmt: skip


def flags(command: Command) -> Command:
    """Give a command one flag for each option of a training; what is not typed is None."""
    for each in reversed([each for each in fields(TrainingPlan) if "help" in each.metadata]):
        command = _flag(each)(command)
    return command


def given(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were typed."""
    return {name: value for name, value in plan.items() if value is not None}


def _flag(each: "Field[Any]") -> Any:
    words, least = each.metadata["words"], each.metadata["least"]
    flag = f"--{each.name.replace('_', '-')}"
    if isinstance(each.default, bool):
        return click.option(f"{flag}/--no{flag[1:]}", each.name, default=None, help=each.metadata["help"])
    kind: Any = Word(words) if words else click.IntRange(least) if isinstance(each.default, int) else _Number(least)
    return click.option(flag, each.name, type=kind, help=each.metadata["help"])


class _Number(click.FloatRange):
    """A number from the least one on; told as such in help."""

    name = "number"

    def __init__(self, least: float) -> None:
        super().__init__(min=least)
