"""From what one of PyTorch's exporters gives to a hub graph that keeps the signature, and to a file that is proved."""

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub.answers import refuse_other_answers
from isoform.hub.examples import Example
from isoform.hub.passes.fold_weights import mark_parameters
from isoform.hub.passes.name_weights import name_weights, origins
from isoform.hub.passes.restore_hidden_rows import restore_hidden_rows
from isoform.hub.passes.restore_split import restore_split
from isoform.hub.passes.simplify import simplify


def finish(model: ir.Model, signature: Signature) -> None:
    """Give ``model`` the signature's names and dimensions, simplify it, and call weights as the module does; in place.

    Raises:
        IsoformError: the graph lost an input, an output or a dynamic dimension.
    """
    _name(model, signature)
    common.InlinePass()(model)
    restore_split(model, is_computed=False)
    _take_parameters(model)
    made_of = origins(model)
    simplify(model)
    restore_hidden_rows(model)
    name_weights(model, made_of)


def prove(target: Path, signature: Signature, examples: Sequence[Example]) -> None:
    """Check the file at ``target``; one that answers otherwise than ``examples`` is removed.

    Raises:
        IsoformError: it does, or does not run at one of their sizes.
    """
    gc.collect()  # modules are full of cycles: what the caller has let go would stay mapped beside the file
    try:
        refuse_other_answers(target, signature, examples)
    except IsoformError:
        target.unlink()
        target.with_name(f"{target.name}.data").unlink(missing_ok=True)
        raise


def _name(model: ir.Model, signature: Signature) -> None:
    """Give inputs, outputs and their dynamic dimensions the names of the signature."""
    clash = {spec.name for spec in signature.inputs} & {spec.name for spec in signature.outputs}
    if clash:
        raise IsoformError(
            f"'{min(clash)}' is the name of an input and of an output.",
            "Rename one: ONNX has one name for one tensor.",
            kind="signature",
        )
    sides: tuple[tuple[str, Any, Any], ...] = (
        ("inputs", model.graph.inputs, signature.inputs),
        ("outputs", model.graph.outputs, signature.outputs),
    )
    for side, values, specs in sides:
        if len(values) != len(specs):
            raise IsoformError(
                f"The exported graph has {len(values)} {side}, the signature {len(specs)}.",
                "An unused input or an output of another kind was dropped: declare what is there.",
                kind="signature",
            )
        for value, spec in zip(values, specs, strict=True):
            if side == "inputs":
                _refuse_frozen_axes(value, spec.name, spec.shape)
            value.name = spec.name
            value.shape = ir.Shape(spec.shape)
        if side == "inputs":
            _part_outputs(model.graph)


def _part_outputs(graph: ir.Graph) -> None:
    """Give each output a value of its own: one that is an input, or another output too, cannot have its own name."""
    taken = set(graph.inputs)
    for position, value in enumerate(graph.outputs):
        if value in taken:
            node = ir.node("Identity", [value])
            node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
            graph.append(node)
            graph.outputs[position] = node.outputs[0]
        taken.add(graph.outputs[position])


def _refuse_frozen_axes(value: ir.Value, name: str, shape: Sequence[int | str]) -> None:
    for axis, (wanted, dim) in enumerate(zip(shape, value.shape or (), strict=True)):
        if isinstance(wanted, str) and isinstance(dim, int):
            raise IsoformError(
                f"The exporter froze axis {axis} of '{name}' ('{wanted}') at {dim}.",
                f"Declare it as fixed: --input '{name}:...[{dim}]', or make the model accept other sizes.",
                kind="frozen-axis",
            )


def _take_parameters(model: ir.Model) -> None:
    """Call parameters as the state dict calls them, without the wrapper's prefix, and keep what they are."""
    parameters = [value for value in model.graph.initializers.values() if (value.name or "").startswith("module.")]
    for value in parameters:
        value.name = str(value.name).removeprefix("module.")
    mark_parameters(value for value in parameters if value.dtype is not None and value.dtype.is_floating_point())
