"""A SavedModel folder as the hub graph, through one of its signatures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx_ir as ir

from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub.importers.tensorflow import function, references, signature, stored
from isoform.hub.importers.tensorflow.stored import Stored
from isoform.hub.serving import caller, pick, weight_names
from isoform.hub.validity import refuse_invalid


def from_saved_model(path: str | Path, name: str | None = None) -> ir.Model:
    """Return the hub graph of a signature of the folder at ``path``; its outputs come sorted by name, as kept there.

    Args:
        name: of the signature; ``serving_default``, or the only one, unless given.

    Raises:
        IsoformError: TensorFlow does not open the folder, has no such signature there, or it cannot be converted.
    """
    opened = stored.opened(Path(path))
    served = pick(opened.loaded, Path(path), name)
    declared = signature_of(served)
    graph = load(served, declared, opened.stored)
    signature.name_output_axes(graph, declared.outputs, declared.symbols)
    return graph


def load(served: Any, declared: Signature, values: Mapping[int, Stored]) -> ir.Model:
    """Return the hub graph of a SavedModel's signature, its inputs and outputs in the order of ``declared``.

    Args:
        values: of variables that hold none, by the id of the handle.

    Raises:
        IsoformError: other names are declared than are there, or it cannot be converted.
    """
    refuse_other_names(served, declared)
    call = caller(served, declared)
    graph = function.load(call, declared, weight_names(served), references.read(served), values)
    refuse_invalid(graph)
    return graph


def signature_of(served: Any) -> Signature:
    """Return the signature as the folder has it: inputs in their order there, outputs sorted by name.

    Raises:
        IsoformError: it takes or gives text, or tensors of unknown rank.
    """
    inputs = _inputs(served)
    outputs = {name: served.structured_outputs[name] for name in sorted(served.structured_outputs)}
    return Signature(
        tuple(signature.input_spec(name, spec, is_only=len(inputs) == 1) for name, spec in inputs.items()),
        tuple(signature.output_spec(name, tensor) for name, tensor in outputs.items()),
    )


def refuse_other_names(served: Any, declared: Signature) -> None:
    """Refuse a declaration that has not exactly the inputs of the folder, or an output that is not there."""
    inputs, outputs = set(_inputs(served)), set(served.structured_outputs)
    wanted = {spec.name for spec in declared.inputs}
    unknown = [spec.name for spec in declared.outputs if spec.name not in outputs]
    if wanted != inputs or unknown:
        raise IsoformError(
            f"The SavedModel takes {', '.join(sorted(inputs))} and gives {', '.join(sorted(outputs))}; declared are "
            f"{', '.join(sorted(wanted))} and {', '.join(spec.name for spec in declared.outputs)}.",
            "Declare the names that the folder has.",
            kind="signature",
        )


def _inputs(served: Any) -> Mapping[str, Any]:
    return dict(served.structured_input_signature[1])
