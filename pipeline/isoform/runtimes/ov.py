"""OpenVINO on the CPU: a file of its IR in float32, its weights read from the file beside it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Bound, RunOptions
from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub.openvino_core import core, openvino, reason
from isoform.intake import openvino_ir

_EXACT = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY", "PERFORMANCE_HINT": "LATENCY"}
"""Without them, a CPU that has bfloat16 or float16 computes in it."""


class OpenvinoSession:
    """A compiled model, called by name."""

    def __init__(self, compiled: Any, known: Signature) -> None:
        self._request = compiled.create_infer_request()
        self._inputs = _named(compiled.inputs, known.inputs)
        self._outputs = _named(compiled.outputs, known.outputs)
        self.signature = Signature(
            tuple(_spec(name, port) for name, port in self._inputs.items()),
            tuple(_spec(name, port) for name, port in self._outputs.items()),
        )

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs in the graph's order."""
        return self.bind(inputs).answer()

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs set as tensors that share the arrays' memory; outputs stay in the request until copied."""
        held = {name: np.asarray(inputs[name], order="C") for name in self._inputs}
        for name, port in self._inputs.items():
            self._request.set_tensor(port, openvino.Tensor(held[name], shared_memory=True))

        def run() -> None:
            self._request.start_async()
            self._request.wait()

        def outputs() -> dict[str, Array]:
            assert held  # the tensors share its memory
            return {name: np.array(self._request.get_tensor(port).data) for name, port in self._outputs.items()}

        return Bound(run, outputs)

    def close(self) -> None:
        del self._request


def load(artifact: Artifact, options: RunOptions) -> OpenvinoSession:
    """Open ``artifact.model`` and the weights beside it.

    Raises:
        IsoformError: another device or float64 is asked for, or OpenVINO refuses the file.
    """
    if options.device != "cpu":
        raise IsoformError("OpenVINO runs on the CPU here.", "Leave out the device.", kind="no-device")
    if options.is_float64:
        raise IsoformError("OpenVINO has no float64 on CPUs", "Ask the ONNX file instead.", kind="no-float64")
    settings: dict[str, Any] = dict(_EXACT)
    if options.threads:
        settings["INFERENCE_NUM_THREADS"] = options.threads
    try:
        model = core().read_model(str(artifact.model), str(openvino_ir.weights_file(artifact.model)))
        return OpenvinoSession(core().compile_model(model, "CPU", settings), artifact.signature)
    except RuntimeError as error:
        raise IsoformError(
            f"OpenVINO does not open {artifact.model.name}: {reason(error)}", "Export the model again.", kind="load"
        ) from error


def weights(artifact: Artifact) -> dict[str, Array]:
    """Return the constants by the names of their layers, memory-mapped from the file beside the model."""
    return openvino_ir.weights(artifact.model)


def _named(ports: Any, known: tuple[TensorSpec, ...]) -> dict[str, Any]:
    """Return the ports by name: of several that one has, the one that the signature knows."""
    wanted = {spec.name for spec in known}
    found = {}
    for port in ports:
        names = sorted(port.names) or [port.node.friendly_name]
        found[next((name for name in names if name in wanted and name not in found), names[0])] = port
    return found


def _spec(name: str, port: Any) -> TensorSpec:
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        raise IsoformError(
            f"OpenVINO does not know how many axes '{name}' has.", "Declare its shape in the source.", kind="signature"
        )
    dims: list[Dim] = [f"{name}_{axis}" if dim.is_dynamic else int(dim.get_length()) for axis, dim in enumerate(shape)]
    return TensorSpec(name, np.dtype(port.element_type.to_dtype()).name, tuple(dims))
