"""Bits lost against the source's own float32 run, whatever precision an export is in: what may be put on one axis.

A verdict holds an export to the class of its precision, so that half precision that loses nothing *as half precision*
has 0 bits lost. Beside a float32 export that says the wrong thing. What the source's float32 run has right is in the
figures of every float32 export of it: the bits that this one has right, and the ratio of the two errors.
"""

import math
from collections.abc import Iterable, Mapping

from isoform.stages.report.collect import Entry

Source = tuple[str, str]
"""Model and framework."""


def of_sources(entries: Iterable[Entry]) -> dict[Source, dict[str, float]]:
    """Return how many bits the source's own float32 run has right in each output, where a float32 export tells."""
    found: dict[Source, dict[str, float]] = {}
    for entry in entries:
        if entry.is_reduced:
            continue
        known = found.setdefault((entry.name, entry.framework), {})
        for record in entry.parity.values():
            for output in record.outputs:
                if 0 < output.r_rms < math.inf and math.isfinite(output.correct_bits):
                    # lost bits are log2 of r_rms before they are cut at 0
                    known.setdefault(output.name, output.correct_bits + math.log2(output.r_rms))
    return found


def lost_bits(entry: Entry, runtime: str, sources: Mapping[Source, Mapping[str, float]]) -> float | None:
    """Return the bits that the worst output lost against float32; None where that cannot be told."""
    if not entry.is_reduced:
        return entry.lost_bits(runtime)
    own = sources.get((entry.name, entry.framework), {})
    record = entry.parity.get(runtime)
    outputs = record.outputs if record is not None else ()
    if not outputs or any(output.name not in own for output in outputs):
        return None
    return max(max(0.0, own[output.name] - output.correct_bits) for output in outputs)
