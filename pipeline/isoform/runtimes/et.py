"""ExecuTorch on the CPU: a program in float32, its weights read from the file without it.

A program has neither names nor symbols: names are those of the signature that it was written for, and a dynamic input
tells only its largest sizes.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Bound, RunOptions
from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import torch_source
from isoform.hub.executorch_program import ExecutorchProgram
from isoform.intake import pte_file
from isoform.intake.pte_file import Port


class ExecutorchSession:
    """A loaded program, called in signature order."""

    def __init__(self, program: ExecutorchProgram, known: Signature) -> None:
        self._program = program
        self._known = known
        self.signature = Signature(
            tuple(_spec(spec, port) for spec, port in _paired(known.inputs, program.inputs, "inputs")),
            tuple(_spec(spec, port) for spec, port in _paired(known.outputs, program.outputs, "outputs")),
        )

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs by name."""
        return self.bind(inputs).answer()

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs as tensors; ExecuTorch copies them into its own memory at each run."""
        tensors = torch_source.tensors(self._known, inputs)
        return Bound.of(
            lambda: self._program(tensors),
            lambda found: {name: np.array(array) for name, array in torch_source.named(self._known, found).items()},
        )

    def close(self) -> None:
        del self._program


def load(artifact: Artifact, options: RunOptions) -> ExecutorchSession:
    """Open ``artifact.model``.

    Raises:
        IsoformError: another device or float64 is asked for, or ExecuTorch refuses the file.
    """
    if options.device != "cpu":
        raise IsoformError("ExecuTorch runs on the CPU here.", "Leave out the device.", kind="no-device")
    if options.is_float64:
        raise IsoformError("XNNPACK has no float64", "Ask the PT2 file instead.", kind="no-float64")
    return ExecutorchSession(ExecutorchProgram(artifact.model, options.threads), artifact.signature)


def weights(artifact: Artifact) -> dict[str, Array]:
    """Return the constants of kernels by their names in the source, and those of XNNPACK by their places."""
    return pte_file.Program(artifact.model).weights()


def _paired(specs: tuple[TensorSpec, ...], ports: tuple[Port, ...], what: str) -> list[tuple[TensorSpec, Port]]:
    if len(specs) != len(ports):
        raise IsoformError(
            f"The program has {len(ports)} {what}, its signature {len(specs)}.", "Export it again.", kind="signature"
        )
    return list(zip(specs, ports, strict=True))


def _spec(known: TensorSpec, port: Port) -> TensorSpec:
    """Return what the file says: of a dynamic tensor, the dimensions that were declared so are."""
    sizes: list[Dim] = list(port.sizes)
    if port.is_dynamic and len(sizes) == len(known.shape):
        sizes = [dim if isinstance(dim, str) else size for dim, size in zip(known.shape, sizes, strict=True)]
    return replace(known, dtype=port.dtype, shape=tuple(sizes))
