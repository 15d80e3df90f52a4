"""ONNX to SavedModel: the hub's TensorFlow emitter, written under the names of the signature.

Weights are variables, so TensorFlow's constant folding never sees them. The folder's own record of the order of its
outputs is described in hub/savedmodel.py. Not aware of operators.
"""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import graph, savedmodel
from isoform.hub.emitters import tensorflow as emitter


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the folder ``target``.

    Raises:
        IsoformError: the emitter cannot carry an operator, or the graph has other inputs and outputs than declared.
    """
    model = graph.load_as_declared(source.model, source.signature)
    inputs, outputs = ([str(value.name) for value in side] for side in (model.graph.inputs, model.graph.outputs))
    inner = source.signature
    _require_names(inner, inputs, outputs)
    module = emitter.emit(model, holds_values=False)
    names_in, names_out = ([spec.name for spec in side] for side in (inner.inputs, inner.outputs))

    def call(*tensors: object) -> list[object]:
        given = dict(zip(names_in, tensors, strict=True))
        results = dict(zip(outputs, module.call(*[given[name] for name in inputs]), strict=True))
        return [results[name] for name in names_out]

    savedmodel.save(call, module.weights, inner, target, source.tokenizer, module.contents)


def _require_names(signature: Signature, inputs: list[str], outputs: list[str]) -> None:
    declared = [spec.name for spec in signature.inputs], [spec.name for spec in signature.outputs]
    if (sorted(declared[0]), sorted(declared[1])) != (sorted(inputs), sorted(outputs)):
        raise IsoformError(
            f"The graph takes {', '.join(inputs)} and gives {', '.join(outputs)}; "
            f"declared are {', '.join(declared[0])} and {', '.join(declared[1])}.",
            "Declare the names that the graph has.",
            kind="signature",
        )
