"""An ExecuTorch program, loaded: called with tensors in order, on the kernels and delegates of its Python runtime."""

from collections.abc import Sequence
from pathlib import Path

import torch

from isoform.errors import IsoformError
from isoform.hub.executorch_core import Runtime, portable_lib
from isoform.intake import pte_file


class ExecutorchProgram:
    """The first method of the program in ``path``.

    Args:
        threads: 0 leaves as many as ExecuTorch takes by itself.

    Raises:
        IsoformError: it is damaged, or needs a kernel or a delegate that is not in this runtime; each is named.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        self._file = pte_file.Program(path)
        self.inputs, self.outputs = self._file.ports()
        if threads:
            portable_lib._unsafe_reset_threadpool(threads)
        runtime = Runtime.get()
        there = {*runtime.operator_registry.operator_names, *runtime.backend_registry.registered_backend_names}
        missing = sorted(self._file.operators().keys() - there)
        if missing:
            raise IsoformError(
                f"ExecuTorch has no kernel for {', '.join(missing[:5])}.",
                "Other formats may carry it: --to onnx,pt2,tflite",
                kind="emission",
            )
        try:
            self._program = runtime.load_program(path)
            self._method = self._program.load_method(sorted(self._program.method_names)[0])
        except RuntimeError as error:
            raise IsoformError(
                f"ExecuTorch does not open {path.name}: {error}", "Export the model again.", kind="load"
            ) from error

    def __call__(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Return the outputs, which stay where ExecuTorch puts them until the next call.

        Raises:
            RuntimeError: a size that it does not take.
        """
        for index, (tensor, port) in enumerate(zip(tensors, self.inputs, strict=True)):
            if tensor.numel() > torch.Size(port.sizes).numel():
                raise RuntimeError(
                    f"input {index} of shape {list(tensor.shape)}: memory is planned for {list(port.sizes)} at most"
                )
        assert self._method is not None
        return [output for output in self._method.execute(list(tensors)) if isinstance(output, torch.Tensor)]
