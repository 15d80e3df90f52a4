"""Where a model's Python makes a plain number of a dynamic size while torch.export follows it.

The exporter's own message has the number and not the line.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.fx.experimental.symbolic_shapes import ShapeEnv

from isoform.hub import tracing


@contextmanager
def frozen_places() -> Iterator[list[str]]:
    """Yield a list that the lines which fix a dynamic size come into, for a while; the first may cause the others."""
    places: list[str] = []
    log = ShapeEnv._log_guard

    def noting(environment: ShapeEnv, prefix: str, guard: Any, forcing_spec: bool) -> None:
        if _fixes(guard):
            places.append(tracing.place(sys._getframe(1)))
        log(environment, prefix, guard, forcing_spec)

    ShapeEnv._log_guard = noting
    try:
        yield places
    finally:
        ShapeEnv._log_guard = log


def _fixes(relation: Any) -> bool:
    """Return whether a relation of sympy says that a size is one number."""
    if not relation.is_Relational or relation.rel_op != "==":
        return False
    return all(side.is_Symbol or side.is_Integer for side in relation.args) and any(
        side.is_Integer for side in relation.args
    )
