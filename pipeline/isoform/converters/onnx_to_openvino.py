"""ONNX to OpenVINO IR, by OpenVINO's reader of ONNX: ``model.xml`` and, beside it, the weights in ``model.bin``.

The graph is saved as it is read, before OpenVINO simplifies it, so that weights stay as the source has them.
"""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.errors import IsoformError
from isoform.hub.openvino_core import core, openvino, reason


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the file ``target``, in float32, its weights beside it.

    Raises:
        IsoformError: OpenVINO does not read the graph; it names the operators.
    """
    try:
        model = core().read_model(str(source.model))
        openvino.save_model(model, str(target), compress_to_fp16=False)  # the default halves every weight
    except RuntimeError as error:
        target.unlink(missing_ok=True)
        raise IsoformError(
            f"OpenVINO does not read the graph: {reason(error)}.",
            "Other formats may carry it: --to onnx,ort",
            kind="emission",
        ) from error
