"""libtorch, through torch.jit: a TorchScript file without the code that made it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from isoform.core import precision
from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Bound, RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import float64, onednn, torch_source


class ScriptSession:
    """A ScriptModule, called in signature order.

    TorchScript knows argument names, not shapes: a dimension counts as kept unless running shows otherwise.
    """

    def __init__(
        self,
        module: torch.jit.ScriptModule,
        declared: Signature,
        device: str,
        *,
        is_float64: bool = False,
        stored: torch.dtype = torch.float32,
        is_optimised: bool = True,
        has_onednn: bool = True,
    ) -> None:
        self._module = module
        self._is_optimised, self._has_onednn = is_optimised, has_onednn
        self._is_usual = is_optimised and has_onednn and not is_float64
        self._device = device
        self._is_float64 = is_float64
        self._stored = stored
        self._declared = declared
        self.signature = replace(declared, inputs=_inputs(module, declared))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs by name."""
        return self.bind(inputs).answer()

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs as tensors on the device."""
        tensors = [tensor.to(self._device) for tensor in torch_source.tensors(self._declared, inputs)]
        return Bound.of(lambda: self._called(tensors), self._fetched)

    @torch.no_grad()
    def _called(self, tensors: Sequence[torch.Tensor]) -> Any:
        with nullcontext() if self._is_usual else self._set():  # which is timed, and must cost nothing
            outputs = self._module(*tensors)
        if self._device == "cuda":
            torch.cuda.synchronize()
        return outputs

    @contextmanager
    def _set(self) -> Iterator[None]:
        wide = float64.throughout(also=[self._stored]) if self._is_float64 else nullcontext()
        with wide, torch.jit.optimized_execution(self._is_optimised), onednn.switched(is_on=self._has_onednn):
            yield

    def _fetched(self, outputs: Any) -> dict[str, Array]:
        return torch_source.named(self._declared, [tensor.cpu() for tensor in torch_source.flattened(outputs)])

    def close(self) -> None:
        del self._module


def load(artifact: Artifact, options: RunOptions) -> ScriptSession:
    """Open ``artifact.model``.

    Raises:
        IsoformError: no such device, or libtorch refuses the file.
    """
    if options.device == "cuda" and not torch.cuda.is_available():
        raise IsoformError("no CUDA device", "Run on a machine with an NVIDIA GPU.", kind="no-device")
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.tf32
    module = _open(artifact, options.device)
    if options.is_float64:
        module = module.double()
    if options.perturbation is not None:
        torch_source.disturb(module, options.perturbation)
    stored = getattr(torch, precision.lookup(artifact.precision).stored or "float32")
    return ScriptSession(
        module, artifact.signature, options.device, is_float64=options.is_float64, stored=stored,
        is_optimised=options.is_optimised, has_onednn=options.has_onednn,
    )  # fmt: skip


def weights(artifact: Artifact) -> dict[str, Array]:
    """Return parameters, buffers and the constants of the graph by name."""
    module = _open(artifact, "cpu")
    found = {name: _array(tensor) for name, tensor in module.state_dict().items()}
    for index, tensor in enumerate(_constants(module.inlined_graph)):
        found[f"constant_{index}"] = _array(tensor)
    return found


def _array(tensor: torch.Tensor) -> Array:
    """Return the numbers; bfloat16, which numpy has not, as the float32 that holds each of them."""
    tensor = tensor.detach()
    return np.asarray((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy())


def _open(artifact: Artifact, device: str) -> torch.jit.ScriptModule:
    try:
        return torch.jit.load(str(artifact.model), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise IsoformError(
            f"libtorch does not open {artifact.model.name}: {reason}", "Export the model again.", kind="load"
        ) from error


def _inputs(module: torch.jit.ScriptModule, declared: Signature) -> tuple[TensorSpec, ...]:
    """Return the declared inputs under the names that the file has."""
    names = [argument.name for argument in module.forward.schema.arguments][1:]
    if len(names) != len(declared.inputs):
        return tuple(TensorSpec(name, "float32", ()) for name in names)
    return tuple(replace(spec, name=name) for spec, name in zip(declared.inputs, names, strict=True))


def _constants(graph: torch._C.Graph) -> Iterator[torch.Tensor]:
    for node in graph.findAllNodes("prim::Constant"):
        if "value" in node.attributeNames() and node.kindOf("value") == "t":
            yield node.t("value")
