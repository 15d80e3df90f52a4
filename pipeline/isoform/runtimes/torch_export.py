"""PyTorch on an exported program (.pt2), without the code that made it."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import torch

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Bound, RunOptions
from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import float64, pt2_archive, torch_program, torch_source


class ProgramSession:
    """A program, called in signature order; dimensions are those that the file states."""

    def __init__(
        self, program: torch.export.ExportedProgram, declared: Signature, device: str, *, is_float64: bool = False
    ) -> None:
        self._module = torch_program.FlatProgram(program).to(device, torch.float64 if is_float64 else None)
        self._device = device
        self._is_float64 = is_float64
        self._declared = declared
        found = torch_program.signature_of(program)
        self.signature = found if not declared.outputs else Signature(found.inputs, declared.outputs)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs by name."""
        return self.bind(inputs).answer()

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs as tensors on the device."""
        given = [tensor.to(self._device) for tensor in torch_source.tensors(self.signature, inputs)]
        return Bound.of(lambda: self._called(given), self._fetched)

    @torch.no_grad()
    def _called(self, given: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        with float64.throughout() if self._is_float64 else nullcontext():
            outputs: Sequence[torch.Tensor] = self._module(*given)
        if self._device == "cuda":
            torch.cuda.synchronize()
        return outputs

    def _fetched(self, outputs: Sequence[torch.Tensor]) -> dict[str, Array]:
        return torch_source.named(self.signature, [tensor.cpu() for tensor in outputs])

    def close(self) -> None:
        del self._module


def load(artifact: Artifact, options: RunOptions) -> ProgramSession:
    """Open ``artifact.model``.

    Raises:
        IsoformError: no such device, the archive could run code, or torch.export refuses it.
    """
    if options.device != "cpu" and not (options.device == "cuda" and torch.cuda.is_available()):
        raise IsoformError("no CUDA device", "Run on a machine with an NVIDIA GPU.", kind="no-device")
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.tf32
    program = pt2_archive.opened(artifact.model)
    session = ProgramSession(program, artifact.signature, options.device, is_float64=options.is_float64)
    if options.perturbation is not None:
        torch_source.disturb(session._module, options.perturbation)
    return session


def weights(artifact: Artifact) -> dict[str, Array]:
    """Return parameters, buffers and constants of the program by name."""
    program = pt2_archive.opened(artifact.model)
    tensors = {**program.state_dict, **program.constants}
    return {name: tensor.detach().numpy() for name, tensor in tensors.items() if isinstance(tensor, torch.Tensor)}
