"""Is the converted graph valid ONNX? Its weights are left out of the question, so that it costs what operators cost."""

import onnx
import onnx_ir as ir

from isoform.errors import IsoformError

_SMALL_BYTES = 1024


def refuse_invalid(model: ir.Model) -> None:
    """Put ``model`` before ONNX' checker and strict shape inference.

    Raises:
        IsoformError: one of them refuses it.
    """
    try:
        onnx.checker.check_model(_without_weights(model), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise IsoformError(
            f"The converted graph is not valid ONNX ({str(error).strip().splitlines()[0][:300]}).",
            "Report this with the network; another route may carry it: --avoid the converter that failed.",
            kind="invalid-graph",
        ) from error


def _without_weights(model: ir.Model) -> onnx.ModelProto:
    """Return a copy whose large initialisers are inputs."""
    copy = model.clone()
    for name, value in list(copy.graph.initializers.items()):
        if value.const_value is not None and value.const_value.nbytes > _SMALL_BYTES:
            del copy.graph.initializers[name]
            value.const_value = None
            copy.graph.inputs.append(value)
    return ir.to_proto(copy)
