"""The one table of faults."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

Fault = Callable[[ir.Model, np.random.Generator], str | None]
FAULTS: dict[str, Fault] = {}


def planted(fault: Fault) -> Fault:
    """Enter a fault under its function's name, in the words that people read."""
    FAULTS[fault.__name__.replace("_", " ")] = fault
    return fault
