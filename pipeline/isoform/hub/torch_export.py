"""PyTorch's newer exporter: a module to an ExportedProgram by torch.export, and a program to a hub graph.

It sees sizes as symbols, so what it freezes it says. Not aware of files or of how the graph is finished.
"""

import logging
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import onnx_ir as ir
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException
from torch.export._patches import register_gru_while_loop_decomposition, register_lstm_while_loop_decomposition
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.onnx._internal.exporter._errors import DispatchError

from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import source_line, tracing
from isoform.hub.torch_complex import in_pairs
from isoform.hub.torch_conversions import unmoved_modules
from isoform.hub.torch_frozen import frozen_places
from isoform.hub.torch_lengths import symbolic_lengths
from isoform.hub.torch_translations import TRANSLATIONS
from isoform.hub.torchscript_program import unscripted

OPSET = 20
_RECURRENT = (torch.ops.aten.lstm.input, torch.ops.aten.gru.input)
_VIOLATED, _CONSTANT, _STATIC = "Constraints violated", "specialized it to be a constant", "inferred a static shape"
_DECIDED_BY_VALUES = (GuardOnDataDependentSymNode, DataDependentOutputException)


def program(
    module: torch.nn.Module, signature: Signature, inputs: tuple[torch.Tensor, ...], *, has_assertions: bool = True
) -> torch.export.ExportedProgram:
    """Return ``module`` as a program, its declared dynamic dimensions symbolic.

    Dimensions are declared for every size first. Where the module cannot have every one (halvings and their inverses
    fit multiples only), the exporter may bound them; what it bounds from above is for `torch_bounds` to prove.

    Args:
        module: with one argument an input, under the signature's names.
        has_assertions: write what the exporter could not prove of sizes into the program, to be asserted when it runs.
            ONNX has no such thing; a program that is to run itself would refuse a batch of one, which it can compute.

    Raises:
        IsoformError: the exporter fails or freezes a dynamic dimension.
    """
    settings = _dynamic_recurrence(), unscripted(module), symbolic_lengths(module), unmoved_modules(), torch.no_grad()
    with _quiet(), ExitStack() as stack:
        for setting in settings:
            stack.enter_context(setting)
        frozen = stack.enter_context(frozen_places())
        try:
            dims: dict[str, Any] = {symbol: torch.export.Dim(symbol, min=1) for symbol in signature.symbols}
            return _exported(module, signature, inputs, dims, has_assertions)
        except IsoformError:
            raise
        except Exception as error:  # the exporter raises types of many packages; each names the step that failed
            if _VIOLATED not in str(error) or _CONSTANT in str(error):
                raise _failure("torch.export", error, frozen) from error
        dims = dict.fromkeys(signature.symbols, torch.export.Dim.DYNAMIC)
        try:
            return _exported(module, signature, inputs, dims, has_assertions)
        except Exception as error:  # as above
            raise _failure("torch.export", error, frozen) from error


def _exported(
    module: torch.nn.Module,
    signature: Signature,
    inputs: tuple[torch.Tensor, ...],
    dims: dict[str, Any],
    has_assertions: bool,
) -> torch.export.ExportedProgram:
    shapes = {
        spec.name: {axis: dims[dim] for axis, dim in enumerate(spec.shape) if isinstance(dim, str)}
        for spec in signature.inputs
    }
    return torch.export.export(
        module, inputs, dynamic_shapes=shapes, prefer_deferred_runtime_asserts_over_guards=has_assertions
    )


def to_onnx(exported: torch.export.ExportedProgram) -> ir.Model:
    """Return ``exported`` as ONNX: initialisers under their names in the state dict.

    Raises:
        IsoformError: an operator has no ONNX form in PyTorch's exporter.
    """
    try:
        # A program is traced once more here, for its decomposition: without this, at the length of the example.
        with _quiet(), _dynamic_recurrence(), torch.no_grad():
            converted = torch.onnx.export(
                in_pairs(exported),
                dynamo=True,
                opset_version=OPSET,
                optimize=False,  # its optimiser freezes the length of stacked LSTMs at the traced size
                custom_translation_table=TRANSLATIONS,
                verbose=False,
            )
    except Exception as error:  # as above
        raise _without_form(error) or _failure("torch.onnx.export", error) from error
    assert converted is not None
    model: ir.Model = converted.model
    return model


def reason(error: BaseException) -> str:
    """Return the first telling line of the innermost cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = " ".join(lines[:2]) if lines and lines[0].endswith(":") else lines[0] if lines else ""
    return f"{type(error).__name__}: {telling[:300]}" if lines else type(error).__name__


def _without_form(error: BaseException | None) -> IsoformError | None:
    """Return the refusal of an operator that the exporter found no ONNX form for; None where that was not it."""
    while error is not None and not isinstance(error, DispatchError):
        error = error.__cause__
    nodes = [frame.f_locals.get("node") for frame, _ in traceback.walk_tb(error.__traceback__)] if error else []
    found = [
        node for node in nodes if isinstance(node, torch.fx.Node) and isinstance(node.target, torch._ops.OpOverload)
    ]
    if not found:
        return None
    line = source_line.told(*source_line.line_of(str(found[-1].meta.get("stack_trace", ""))))
    return IsoformError(
        f"'{found[-1].target}'{line}: no ONNX form here.",
        "Write it with other operators, or stay in PyTorch: --to torchscript,pt2",
        kind="unsupported-operator",
    )


def _failure(step: str, error: Exception, frozen: Sequence[str] = ()) -> IsoformError:
    """Return the refusal; ``frozen`` are the lines that fix a dynamic size, which may be what the error is about."""
    place = _decided_at(error)
    if place is not None:
        return IsoformError(
            f"{step} failed: the model decides in Python by values of its inputs: {place}",
            "Write the decision with torch.where or torch.cond, or leave that part out of the model.",
            kind="control-flow",
        )
    if frozen and any(words in str(error) for words in (_VIOLATED, _CONSTANT, _STATIC)):
        return IsoformError(
            f"{step} failed: the model makes a plain number of a dynamic size: {frozen[0]}",
            "Compute with the size as it is there, or declare that dimension as fixed: a number in --input.",
            kind="frozen-axis",
        )
    raised = tracing.raised_at(error)
    return IsoformError(
        f"{step} failed: {reason(error)}" + (f", at {raised}" if raised else ""),
        "Make what it names exportable, declare fewer dynamic dimensions, or leave it to the other exporter.",
        kind="export",
    )


def _decided_at(error: BaseException | None) -> str | None:
    """Return the line of the model at which a value was wanted that is not there yet; None where that was not it."""
    while error is not None:
        if isinstance(error, _DECIDED_BY_VALUES):
            return tracing.raised_at(error)
        error = error.__cause__
    return None


@contextmanager
def _dynamic_recurrence() -> Iterator[None]:
    """Let LSTM and GRU keep a dynamic length, and sizes of 0 and 1 count as any other, as torch.onnx.export does.

    Without the first, torch.export unrolls a recurrent layer at the traced length; so it does when the layer has run
    before, as PyTorch (2.13) goes on calling the kernel that it found then.
    """
    forget_kernels()
    with (
        register_lstm_while_loop_decomposition(),
        register_gru_while_loop_decomposition(),
        torch.fx.experimental._config.patch(backed_size_oblivious=True),
    ):
        yield
    forget_kernels()


def forget_kernels() -> None:
    """Let PyTorch look up anew what runs a recurrent layer."""
    for operator in _RECURRENT:
        operator._dispatch_cache.clear()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on its own internals out of the log; the graph is checked afterwards."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
