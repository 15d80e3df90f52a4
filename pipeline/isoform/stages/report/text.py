"""Numbers and foreign text as a reader should see them."""

import hashlib
import math
import re
from typing import Any

LONGEST = 4_000


def visible(text: Any) -> str:
    """Return text with control, direction and invisible characters shown by their code instead of obeyed."""
    shown = str(text)
    if len(shown) > LONGEST:
        shown = f"{shown[:LONGEST]} … ({len(shown) - LONGEST} more characters)"
    return "".join(char if char.isprintable() or char == "\n" else _code(ord(char)) for char in shown)


def _code(point: int) -> str:
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def anchor(*parts: Any) -> str:
    """Return an identifier of letters, digits and hyphens; the caller keeps it unique."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", str(part).lower()).strip("-") for part in parts)


def css_class(verdict: str) -> str:
    return anchor(verdict)


def shortened(text: Any, most: int) -> str:
    """Return text of at most ``most`` characters, its middle left out: names that differ often differ at an end."""
    shown = visible(text)
    if len(shown) <= most:
        return shown
    head = (most - 1) // 2
    return f"{shown[:head]}…{shown[len(shown) - (most - 1 - head) :]}"


def slug(name: str) -> str:
    """Return an identifier that also serves as the stem of a file name, a different one for each name."""
    if re.fullmatch(r"[a-z0-9_]{1,60}", name):
        return name
    return f"{anchor(name)[:40]}-{hashlib.sha256(ascii(name).encode()).hexdigest()[:8]}"


def size_text(size_bytes: float) -> str:
    """Return a size in decimal units."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= factor:
            return f"{_three(size_bytes / factor)} {unit}"
    return f"{size_bytes:.0f} B"


def time_text(time_ns: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if time_ns >= factor:
            return f"{_three(time_ns / factor)} {unit}"
    return f"{time_ns:.0f} ns"


def threads_text(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def rate_text(rate: float, unit: str) -> str:
    """Return a rate such as ``12.3 GFLOP/s`` in the decimal unit that suits it."""
    for prefix, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if rate >= factor:
            return f"{_three(rate / factor)} {prefix}{unit}"
    return f"{rate:.3g} {unit}"


def tick_text(text: str) -> str:
    """Return a text such as ``5.00 ms`` as an axis has it: ``5 ms``."""
    return re.sub(r"(\.\d*?)0+(?=\D|$)", lambda match: match[1].removesuffix("."), text, count=1)


def share_text(share: float | None) -> str:
    """Return a part of one as a percentage; what is not nothing is never shown as nothing."""
    if share is None:
        return "–"
    return "< 0.1 %" if 0 < share < 0.001 else f"{100 * share:.1f} %"


def figure_text(value: float | None, pattern: str) -> str:
    """Return ``value`` in a format such as ``.1f``; infinity as ∞, and what is missing as a dash."""
    if value is None or math.isnan(value):
        return "–"
    return "∞" if math.isinf(value) else format(value, pattern)


def _three(value: float) -> str:
    """Return three significant digits, without an exponent."""
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}" if value < 1000 else f"{value:.0f}"
