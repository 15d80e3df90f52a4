"""SavedModel to ONNX: a signature's graph is converted without its weights, which are streamed to disk behind it.

Inputs are called as in the folder's signature; outputs stand in the order of the artifact's.
"""

from pathlib import Path
from typing import Any

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import graph as hub_graph
from isoform.hub import serving
from isoform.hub.importers.tensorflow import proof, saved_model, stored


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the ONNX file ``target``, with ``target.data`` beside it when the weights are large.

    Raises:
        IsoformError: an operator has no ONNX form, an input, an output or a dynamic axis is lost, or ONNX' checker or
            ONNX Runtime refuse the graph.
    """
    opened = stored.opened(source.model)  # the variables live as long as this does
    served = serving.pick(opened.loaded, source.model, source.entry)
    hub_graph.save(saved_model.load(served, source.signature, opened.stored), target)

    def call(*tensors: Any) -> list[Any]:
        whole = serving.opened(source.model)
        return serving.caller(serving.pick(whole, source.model, source.entry), source.signature)(*tensors)

    proof.prove(target, source.signature, call)
