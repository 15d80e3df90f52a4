"""Writing ONNX Runtime's own format: ONNX Runtime opens the graph, simplifies it and saves what it holds."""

from pathlib import Path

import onnxruntime

from isoform.core.artifact import size_bytes
from isoform.errors import IsoformError
from isoform.hub import trial

_LARGEST_BYTES = (1 << 31) - 1
"""A FlatBuffers file ends at 2 GiB: its offsets have 31 bits."""


def write(onnx: Path, target: Path) -> None:
    """Write the ONNX file ``onnx`` as ``target``: constants folded, standard operators left as they are.

    Fusions into ONNX Runtime's own operators are left out: they would hide from float64 what the file computes, and
    which of them pay differs by machine.

    Raises:
        IsoformError: beyond 2 GiB (kind "too-large"), or ONNX Runtime refuses the graph.
    """
    if size_bytes(onnx) > _LARGEST_BYTES:
        raise IsoformError(
            f"The model takes {size_bytes(onnx):,} bytes; a file in ORT format ends at 2 GiB.",
            "Take ONNX, whose weights may lie beside the model: --to onnx",
            kind="too-large",
        )
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    settings.optimized_model_filepath = str(target)
    settings.add_session_config_entry("session.save_model_format", "ORT")
    settings.add_session_config_entry("session.disable_prepacking", "1")  # weights are written as they are
    try:
        onnxruntime.InferenceSession(str(onnx), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # the binding raises a type of its own for every status
        target.unlink(missing_ok=True)
        raise IsoformError(
            f"ONNX Runtime does not write the graph in ORT format: {trial.line(error)}",
            "Take ONNX instead: --to onnx",
            kind="broken-file",
        ) from error
