"""Axes: where a value goes, and which values are written beside it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_FACTORS = (1, 2, 5, 10)


@dataclass(frozen=True)
class Axis:
    """A scale from ``low`` to ``high``, drawn between ``start`` and ``end``."""

    low: float
    high: float
    ticks: tuple[float, ...]
    is_logarithmic: bool
    start: float
    end: float

    def place(self, value: float) -> float:
        """Return the coordinate of ``value``."""
        low, high, value = (self._warp(number) for number in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def _warp(self, value: float) -> float:
        return math.log10(value) if self.is_logarithmic else value


def logarithmic(values: Sequence[float], start: float, end: float, at_least: float = 3.0, margin: float = 1.25) -> Axis:
    """Return a logarithmic axis around positive ``values``, spanning a factor of ``at_least``.

    Args:
        margin: the factor by which it reaches beyond them on either side.
    """
    low, high = min(values), max(values)
    margin = max(math.sqrt(at_least / (high / low)), margin)
    low, high = low / margin, high * margin
    ticks = tuple(_powers(low, high, _FACTORS[:3]))
    if len(ticks) > 6:
        ticks = tuple(_powers(low, high, (1,)))
    if len(ticks) > 6:
        ticks = ticks[:: math.ceil(len(ticks) / 6)]
    elif len(ticks) < 2:
        ticks = tuple(tick for tick in linear((low, high), 0, 1).ticks if low <= tick <= high)[:4]
    return Axis(low, high, ticks, True, start, end)


def linear(values: Sequence[float], start: float, end: float) -> Axis:
    """Return a linear axis whose ends are round numbers, around all ``values``."""
    low, high = min(values), max(values)
    span = high - low or 1.0
    step: float = 10.0 ** math.floor(math.log10(span / 2))
    step *= next(factor for factor in _FACTORS if span / (step * factor) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last += last == first
    return Axis(first * step, last * step, tuple(index * step for index in range(first, last + 1)), False, start, end)


def epochs(count: int, start: float, end: float) -> Axis:
    """Return an axis of whole numbers from 1 to ``count``, a few of them written."""
    step = max(1, math.ceil((count - 1) / 4))
    return Axis(1, max(count, 2), tuple(float(tick) for tick in range(1, count + 1, step)), False, start, end)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return a coordinate for each label: near where it is wanted, ``gap`` from the next one, within the bounds."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed: list[float] = []
    for index in order:
        placed.append(max(wanted[index], placed[-1] + gap if placed else low))
    limit = high
    for position in reversed(range(len(placed))):
        placed[position] = min(placed[position], limit)
        limit = placed[position] - gap
    result = [0.0] * len(wanted)
    for index, value in zip(order, placed, strict=True):
        result[index] = value
    return result


def _powers(low: float, high: float, factors: Sequence[int]) -> Iterator[float]:
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        yield from (factor * 10.0**power for factor in factors if low <= factor * 10.0**power <= high)
