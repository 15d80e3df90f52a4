"""ONNX Runtime, with ONNX files and those in its own format; the provider asked for runs, or nothing does."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from isoform.core.artifact import Artifact
from isoform.core.integer_steps import EXACT_SUMS
from isoform.core.placement import Placement
from isoform.core.protocols import Array, Bound, RunOptions, Steps
from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import IsoformError, tells_of_memory
from isoform.intake import onnx_tensors, ort_file

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_DTYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16",
    "tensor(bfloat16)": "bfloat16", "tensor(bool)": "bool", "tensor(string)": "string",
}  # fmt: skip
_ERRORS_ONLY = 3
_UNPROFILED_RUNS, _PROFILED_RUNS = 2, 5
_ORT = "ort"


class OrtSession:
    """An InferenceSession, called by name."""

    def __init__(self, session: onnxruntime.InferenceSession, device: str) -> None:
        self._session = session
        self.signature = Signature(
            tuple(map(_spec, session.get_inputs())), tuple(map(_spec, session.get_outputs()))
        )  # fmt: skip
        self._names = [spec.name for spec in self.signature.outputs]
        self._device = device
        self._has_strings = any(spec.dtype == "string" for spec in (*self.signature.inputs, *self.signature.outputs))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs in the graph's order."""
        return self._named(self._session.run(self._names, dict(inputs)))

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs in the device's memory; outputs are allocated by the first run and written over by others.

        Strings have no place outside of ONNX Runtime: where there are any, each run copies.
        """
        if self._has_strings:
            given = dict(inputs)
            return Bound.of(lambda: self._session.run(self._names, given), self._named)
        binding = self._session.io_binding()
        values = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(np.asarray(array, order="C"), self._device)
            for name, array in inputs.items()
        }
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        for name in self._names:
            binding.bind_output(name, self._device)
        binding.synchronize_inputs()
        run = self._session.run_with_iobinding
        return Bound(lambda: run(binding), lambda: self._named(binding.copy_outputs_to_cpu()))

    def _named(self, outputs: Sequence[Array]) -> dict[str, Array]:
        return dict(zip(self._names, outputs, strict=True))

    def close(self) -> None:
        del self._session


def load(artifact: Artifact, options: RunOptions) -> OrtSession:
    """Open ``artifact.model``.

    Raises:
        IsoformError: no such device (kind no-device), or ONNX Runtime refuses the file.
    """
    return OrtSession(_opened(artifact, options, onnxruntime.SessionOptions()), options.device)


def placement(artifact: Artifact, options: RunOptions, inputs: Mapping[str, Array]) -> Placement:
    """Return which provider ran each node, the time of each the mean of some inferences after the first ones.

    Raises:
        IsoformError: as for `load`.
    """
    from isoform.hub import ort_profile
    from isoform.hub.placement import ort
    from isoform.hub.reading import read

    settings = onnxruntime.SessionOptions()
    with tempfile.TemporaryDirectory(prefix="isoform-placement.") as scratch:
        ort_profile.arm(settings, Path(scratch))
        session = _opened(artifact, options, settings)
        runs = ort_profile.runs(session, inputs, Path(scratch), _PROFILED_RUNS, _UNPROFILED_RUNS)
        return ort.placement(runs, _PROVIDERS[options.device], read(artifact))


def _opened(
    artifact: Artifact, options: RunOptions, settings: onnxruntime.SessionOptions
) -> onnxruntime.InferenceSession:
    provider = _PROVIDERS.get(options.device)
    if provider not in onnxruntime.get_available_providers():
        raise _no_device()
    if options.device == "cuda":
        onnxruntime.preload_dlls()
    settings.intra_op_num_threads = options.threads
    settings.log_severity_level = _ERRORS_ONLY
    if not options.is_optimised:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if options.has_exact_sums:
        settings.add_session_config_entry(EXACT_SUMS, "1")
    if artifact.format == _ORT:  # told by its content: a file may bear any name
        settings.add_session_config_entry("session.load_model_format", "ORT")
    choice = (provider, {"use_tf32": str(int(options.tf32))}) if options.device == "cuda" else provider
    try:
        session = onnxruntime.InferenceSession(str(artifact.model), settings, providers=[choice])
    except Exception as error:  # the binding raises a type of its own for every status
        if tells_of_memory(str(error)):
            raise
        reason = str(error).strip().splitlines()[0][:300]
        raise IsoformError(
            f"ONNX Runtime does not open {artifact.model.name}: {reason}", "Export the model again.", kind="load"
        ) from error
    if session.get_providers()[0] != provider:
        raise _no_device()
    session.disable_fallback()  # a run that CUDA fails would be answered by the CPU
    return session


def weights(artifact: Artifact) -> dict[str, Array]:
    """Return the initialisers and constants of the graph by name, external ones memory-mapped."""
    return ort_file.weights(artifact.model) if artifact.format == _ORT else onnx_tensors.weights(artifact.model)


def steps(artifact: Artifact) -> Steps | None:
    """Return the steps of a quantised graph's inputs and outputs."""
    from isoform.hub.integer_outputs import steps_of
    from isoform.hub.reading import read

    return steps_of(read(artifact))


def _spec(argument: onnxruntime.NodeArg) -> TensorSpec:
    dtype = _DTYPES.get(argument.type) or argument.type.removeprefix("tensor(").removesuffix(")")
    dims: list[Dim] = [
        dim if isinstance(dim, str) or (isinstance(dim, int) and dim >= 0) else f"{argument.name}_{axis}"
        for axis, dim in enumerate(argument.shape)
    ]
    return TensorSpec(argument.name, dtype, tuple(dims))


def _no_device() -> IsoformError:
    return IsoformError(
        "no CUDA device", "Run on a machine with an NVIDIA GPU and pip install 'isoform[cuda]'.", kind="no-device"
    )
