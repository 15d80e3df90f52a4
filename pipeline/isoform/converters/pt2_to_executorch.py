"""An exported program (.pt2) to an ExecuTorch program: float32, whatever XNNPACK computes handed to it.

ExecuTorch plans memory for the largest sizes, so that dynamic dimensions get an upper bound: `ROOM`, or the largest
size at which the source was seen to run. The file is run at other sizes than the traced ones before it counts as
written.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from isoform.core import generation
from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import answers, examples, pt2_archive, torch_export, torch_program
from isoform.hub.executorch_core import EdgeCompileConfig, XnnpackPartitioner, quiet, to_edge_transform_and_lower
from isoform.hub.executorch_program import ExecutorchProgram
from isoform.hub.recurrent_scan import RECURRENT, scanned

BATCH_ROOM, ROOM = 16, 128
"""The least upper bound of a batch, and of any other dynamic dimension."""
_VIOLATED = "Constraints violated"


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the program ``target``.

    Raises:
        IsoformError: a recurrent layer over a dynamic batch, ExecuTorch refuses the program, or what it wrote does not
            run or answers otherwise at a size that was not traced.
    """
    program = pt2_archive.opened(source.model)
    _refuse_dynamic_state(program)
    module = torch_program.FlatProgram(program)
    signature = source.signature
    traced, checked = examples.traced(module, signature), examples.checked(module, signature)
    largest = _largest(signature, options.sizes, [traced, *checked])
    try:
        with _planned():
            lowered = to_edge_transform_and_lower(
                _bounded(module, signature, traced, largest),
                partitioner=[XnnpackPartitioner()],
                compile_config=EdgeCompileConfig(_check_ir_validity=False),  # which kernels are missing is told below
            )
            target.write_bytes(lowered.to_executorch().buffer)
    except Exception as error:  # ExecuTorch raises types of many packages; each names the step that failed
        raise IsoformError(
            f"ExecuTorch refuses the program: {torch_export.reason(error)}.",
            "Other formats may carry it: --to onnx,pt2,tflite",
            kind="emission",
        ) from error
    try:
        _prove(target, signature, [traced, *checked])
    except IsoformError:
        target.unlink()
        raise


def _refuse_dynamic_state(program: torch.export.ExportedProgram) -> None:
    for node in program.graph.nodes:
        if node.target in RECURRENT:
            given, is_batch_first = node.args[0], node.args[-1]
            if not isinstance(given.meta["val"].shape[0 if is_batch_first else 1], int):
                raise IsoformError(
                    f"'{node.name}' is a recurrent layer over a dynamic batch: ExecuTorch keeps its state in memory of "
                    "one size.",
                    "Declare the batch as a number: --input 'tokens:int64[1,length]'; lengths stay dynamic.",
                    kind="frozen-axis",
                )


def _largest(
    signature: Signature, sizes: Mapping[str, Sequence[int]], tried: Sequence[examples.Example]
) -> dict[str, int]:
    """Return the upper bound of each dynamic dimension."""
    return {
        symbol: max(
            BATCH_ROOM if symbol in generation.BATCH_NAMES else ROOM,
            *(sizes.get(symbol) or generation.usual_sizes(symbol)),
            *(example.sizes[symbol] for example in tried),
        )
        for symbol in signature.symbols
    }


def _bounded(
    module: torch.nn.Module, signature: Signature, traced: examples.Example, largest: Mapping[str, int]
) -> torch.export.ExportedProgram:
    """Trace the program once more, its dimensions bounded from above.

    Where PyTorch asks whether a size is one, for how memory lies, it cannot promise sizes from one on; a program holds
    nothing of that, and is run at one afterwards.
    """
    try:
        return _exported(module, signature, traced, largest, smallest=1)
    except torch._dynamo.exc.UserError as error:
        if _VIOLATED not in str(error):
            raise
        return _exported(module, signature, traced, largest, smallest=2)


def _exported(
    module: torch.nn.Module,
    signature: Signature,
    traced: examples.Example,
    largest: Mapping[str, int],
    smallest: int,
) -> torch.export.ExportedProgram:
    shapes: tuple[dict[int, Any], ...] = tuple(
        {
            axis: torch.export.Dim.DYNAMIC(min=smallest, max=largest[dim])
            for axis, dim in enumerate(spec.shape)
            if isinstance(dim, str)
        }
        for spec in signature.inputs
    )
    return torch.export.export(module, traced.inputs, dynamic_shapes={"tensors": shapes})


@contextmanager
def _planned() -> Iterator[None]:
    """Trace without NNPACK: whether a convolution takes it, PyTorch asks by the batch, and bounds it at 15 for that."""
    with quiet(), scanned(), torch.no_grad(), torch.backends.nnpack.flags(enabled=False):
        yield


def _prove(target: Path, signature: Signature, tried: Sequence[examples.Example]) -> None:
    """Run the file at every size that was tried."""
    program = ExecutorchProgram(target)
    for example in tried:
        try:
            found = program(example.inputs)
        except RuntimeError as error:
            raise IsoformError(
                f"The program does not run at {example}: {error}",
                "Declare this dimension as fixed.",
                kind="frozen-axis",
            ) from error
        answers.compare(signature, example, found)
