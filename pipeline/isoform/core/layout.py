"""Channels first or channels last on the outside of a model: signatures and arrays brought from one into the other.

Only tensors whose spec names a layout are moved; nothing is guessed from a shape.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from isoform.core import spelling
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import UsageError

if TYPE_CHECKING:  # the command line reads the choices here, and starts without numpy
    from isoform.core.cases import Cases, Tensors

KEEP = "keep"
CHOICES = (KEEP, "nhwc", "nchw")
_LAYOUTS = {"nhwc": {3: "NWC", 4: "NHWC", 5: "NDHWC"}, "nchw": {3: "NCW", 4: "NCHW", 5: "NCDHW"}}


def outside(signature: Signature, layout: str) -> Signature:
    """Return ``signature`` with every image or sequence in ``layout``: "nhwc", "nchw", or "keep".

    Raises:
        UsageError: another word, or no input or output says which of its axes is which.
    """
    if layout == KEEP:
        return signature
    if layout not in _LAYOUTS:
        raise UsageError(f"There is no layout '{layout}'.", spelling.hint(layout, CHOICES))
    if not any(spec.layout for spec in (*signature.inputs, *signature.outputs)):
        raise UsageError(
            "No input of this model says which of its axes are channels.",
            "Add it to --input: 'image:float32[batch,3,224,224]:NCHW', or to the manifest: layout = \"NCHW\".",
        )

    def moved(specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
        return tuple(
            spec.with_layout(_LAYOUTS[layout][len(spec.shape)]) if spec.layout is not None else spec for spec in specs
        )

    return Signature(moved(signature.inputs), moved(signature.outputs))


def permutation(before: TensorSpec, after: TensorSpec) -> list[int] | None:
    """Return the axes of ``before`` in the order of ``after``; None where the order is the same."""
    if before.layout == after.layout or before.layout is None or after.layout is None:
        return None
    return [before.layout.index(letter) for letter in after.layout]


def move_cases(cases: "Cases", before: Signature, after: Signature) -> "Cases":
    """Return ``cases`` of a model with the signature ``before`` as they are for the same model with ``after``."""

    def columns(
        rows: "tuple[Tensors, ...] | None", old: Sequence[TensorSpec], new: Sequence[TensorSpec]
    ) -> "tuple[Tensors, ...] | None":
        axes = {one.name: permutation(one, other) for one, other in zip(old, new, strict=True)}
        moved = {name: order for name, order in axes.items() if order is not None}
        if rows is None or not moved:
            return rows
        return tuple(
            {name: array.transpose(moved[name]).copy() if name in moved else array for name, array in row.items()}
            for row in rows
        )

    inputs = columns(cases.inputs, before.inputs, after.inputs)
    assert inputs is not None
    return replace(
        cases,
        inputs=inputs,
        reference=columns(cases.reference, before.outputs, after.outputs),
        source=columns(cases.source, before.outputs, after.outputs),
    )
