"""Random inputs of an architecture at the sizes where speed is measured; NumPy alone, for any interpreter."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.entry import TIMED_SIZES, Entry

_INPUT = re.compile(
    r"(?P<name>\w+):(?P<dtype>\w+)\[(?P<dims>[^\]]*)\](?::[A-Z]+)?(?::(?P<low>-?\d+)\.\.(?P<high>-?\d+))?"
)


def drawn(entry: Entry) -> dict[str, Any]:
    """Return an array for each declared input, by name, in order; the same ones in every interpreter."""
    sizes, rng = {**TIMED_SIZES, **entry.sizes}, np.random.default_rng(0)
    return dict(_drawn(text, sizes, rng) for text in entry.inputs)


def _drawn(text: str, sizes: Mapping[str, int], rng: np.random.Generator) -> tuple[str, Any]:
    match = _INPUT.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' does not declare an input")
    shape = [int(dim) if dim.isdigit() else sizes[dim] for dim in match["dims"].split(",")]
    if match["dtype"].startswith("int"):
        low, high = int(match["low"] or 0), int(match["high"] or 1)
        return match["name"], rng.integers(low, high, shape, match["dtype"], endpoint=True)
    return match["name"], rng.random(shape).astype(match["dtype"])
