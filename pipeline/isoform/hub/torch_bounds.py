"""Upper bounds that torch.export finds for dynamic dimensions, held against the module itself.

A bound may be the module's own (a table of positions ends), or come of a decision in Python that changes nothing
(memory made contiguous for a large batch). Beyond a bound a graph would answer all the same, and nobody says how.
"""

from typing import Any

import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedFakeTensorException,
)
from torch.utils._sympy.numbers import int_oo

from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import examples, torch_source
from isoform.hub.examples import Example

_WANTS_VALUES = (DataDependentOutputException, DynamicOutputShapeException, UnsupportedFakeTensorException)
LARGEST = 2048
"""The largest size at which a module is tried beyond its bound; attention takes memory with the square of it."""


def beyond(
    exported: torch.export.ExportedProgram, module: torch.nn.Module, signature: Signature, traced: Example
) -> list[Example]:
    """Return what ``module`` answers one above each bound, for the export to answer alike; nothing where it refuses.

    Args:
        traced: the example of the export; dimensions without a bound keep its sizes.

    Raises:
        IsoformError: a bound lies too high to be tried, and is not seen to be the module's own.
    """
    found = []
    for symbol, (upper, owner) in _bounds(exported, signature).items():
        if upper >= LARGEST:
            if _refuses(module, signature, traced.sizes, symbol, upper + 1):
                continue
            raise IsoformError(
                f"The dimension '{symbol}' of '{owner}' works only up to {upper}.",
                "Declare it as fixed, or make the model accept every size.",
                kind="bounded-axis",
            )
        example = examples.tried(module, signature, {**traced.sizes, symbol: upper + 1})
        found += [example] if example is not None else []
    return found


def _refuses(module: torch.nn.Module, signature: Signature, sizes: dict[str, int], symbol: str, beyond: int) -> bool:
    """Return whether shapes alone make ``module`` raise at a size, and do not at those of the trace.

    It runs without memory for values; what cannot be said without them is no refusal.
    """
    return _runs_on_shapes(module, signature, sizes) and not _runs_on_shapes(
        module, signature, {**sizes, symbol: beyond}, unknown=True
    )


def _runs_on_shapes(
    module: torch.nn.Module, signature: Signature, sizes: dict[str, int], *, unknown: bool = False
) -> bool:
    """Return whether ``module`` runs; ``unknown`` where values decide that."""
    inputs = torch_source.example(signature, [sizes[symbol] for symbol in signature.symbols])
    try:
        with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
            module(*map(mode.from_tensor, inputs))
    except _WANTS_VALUES:
        return unknown
    except examples.REFUSALS:
        return False
    return True


def _bounds(exported: torch.export.ExportedProgram, signature: Signature) -> dict[str, tuple[int, str]]:
    """Return the upper bound of each bounded dimension, and the input that has it."""
    values = {node.name: node.meta.get("val") for node in exported.graph.nodes if node.op == "placeholder"}
    found: dict[str, tuple[int, str]] = {}
    for name, spec in zip(exported.graph_signature.user_inputs, signature.inputs, strict=True):
        value: Any = values[str(name)]
        for wanted, size in zip(spec.shape, value.shape, strict=True):
            bounds = exported.range_constraints.get(getattr(getattr(size, "node", None), "expr", None))
            if isinstance(wanted, str) and bounds is not None and bounds.upper != int_oo:
                found[wanted] = (int(bounds.upper), spec.name)
    return found
