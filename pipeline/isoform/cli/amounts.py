"""Ages and sizes as people type them: ``30d``, ``12h``, ``20GB``, ``1.5GiB``."""

import re
from collections.abc import Mapping
from typing import Any

import click

from isoform.errors import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
    "TiB": 1 << 40,
}  # fmt: skip
_AMOUNT = re.compile(r"([0-9]*\.?[0-9]+)\s*([A-Za-z]+)")


class Age(click.ParamType[float]):
    """A time span, in seconds."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        return value if isinstance(value, float) else _amount(value, _SECONDS, param, "30d")


class Size(click.ParamType[int]):
    """A size, in bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return value if isinstance(value, int) else int(_amount(value, _BYTES, param, "20GB"))


def _amount(text: str, units: Mapping[str, int], param: click.Parameter | None, example: str) -> float:
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or match[2] not in units:
        option = param.opts[0] if param is not None else "value"
        raise UsageError(
            f"{option}: '{text}' is no number with one of {', '.join(units)}.", f"For example: {option} {example}"
        )
    return float(match[1]) * units[match[2]]
