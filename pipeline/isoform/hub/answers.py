"""Does a written graph answer as the module that it came from, at sizes that the exporter has not seen?

Only a graph that took another path is to be found here, so the bound is wide: parity is judged afterwards, with its
own method. A module whose own answer is beyond the bound once its last bits are another (near ties decide what it
selects) is left to that. Not aware of exporters.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx
import torch

from isoform.core.protocols import Array
from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub.examples import Example
from isoform.hub.reference_evaluator import evaluator

_BOUNDS = {torch.float16: 2e-2, torch.bfloat16: 1e-1}
_BOUND = 1e-3
"""Largest error, as a share of the output's largest value."""
_AGREEING = 0.9
"""Of integers and booleans: near ties may fall to the other side."""
_OTHER_VALUES = "is not what the model gives"

Run = Callable[[dict[str, Array]], Sequence[Array]]


def refuse_other_answers(path: Path, signature: Signature, examples: Sequence[Example]) -> None:
    """Run the graph at ``path`` on every example: in ONNX Runtime if it is there and has its operators, else by ONNX.

    Raises:
        IsoformError: it does not run, or answers something else.
    """
    run = _onnxruntime(path) if find_spec("onnxruntime") is not None else _reference(path)
    for example in examples:
        inputs = {spec.name: _array(tensor) for spec, tensor in zip(signature.inputs, example.inputs, strict=True)}
        try:
            found = run(inputs)
        except Exception as error:  # runtimes raise types of their own for every operator
            raise IsoformError(
                f"The exported graph does not run at {example}: {_line(error)}",
                "A size was frozen while exporting; make the model compute it from its inputs, or fix the dimension.",
                kind="frozen-axis",
            ) from error
        compare(signature, example, [torch.from_numpy(array.copy()) for array in found])


def compare(signature: Signature, example: Example, found: Sequence[torch.Tensor]) -> None:
    """Refuse ``found`` where it is not what the module answered to ``example``.

    Raises:
        IsoformError: another shape, another dtype or other values.
    """
    for place, (spec, wanted, tensor) in enumerate(zip(signature.outputs, example.outputs, found, strict=True)):
        problem = _problem(wanted, tensor)
        if problem and not (problem == _OTHER_VALUES and is_unsteady(example, place)):
            raise IsoformError(
                f"The exported graph answers otherwise than the model at {example}: '{spec.name}' {problem}.",
                "A size or a decision was frozen while exporting; make the model compute it from its inputs.",
                kind="frozen-axis",
            )


def is_unsteady(example: Example, place: int) -> bool:
    """Tell whether the module itself gives another answer there once its last bits are another."""
    wanted = example.outputs[place]
    return any(bool(_problem(wanted, outputs[place].to(wanted.dtype))) for outputs in example.again())


def _problem(wanted: torch.Tensor, found: torch.Tensor) -> str:
    """Return what is wrong with ``found``; "" if nothing is."""
    if wanted.shape != found.shape:
        return f"has the shape {list(found.shape)}, the model gives {list(wanted.shape)}"
    if wanted.dtype not in (found.dtype, torch.bfloat16):
        return f"is {found.dtype}, the model gives {wanted.dtype}".replace("torch.", "")
    return "" if not wanted.numel() or _agrees(wanted, found) else _OTHER_VALUES


def _agrees(wanted: torch.Tensor, found: torch.Tensor) -> bool:
    if not wanted.is_floating_point():
        return bool((wanted == found).double().mean() >= _AGREEING)
    bound = _BOUNDS.get(wanted.dtype, _BOUND)
    wanted, found = wanted.double(), found.double()
    finite = wanted.isfinite()
    if not torch.equal(wanted.nan_to_num(0)[~finite], found.nan_to_num(0)[~finite]):
        return False
    wanted, found = wanted[finite], found[finite]
    scale = wanted.abs().amax() if len(wanted) else 0.0
    return bool(((wanted - found).abs() <= bound * scale + 1e-6).all())


def _onnxruntime(path: Path) -> Run:
    import onnxruntime

    from isoform.hub import trial

    try:
        session = trial.session(path)
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        return _reference(path)  # a dtype without a kernel on the CPU says nothing about the graph
    except Exception as error:  # the binding raises a type of its own for every other status
        raise IsoformError(
            f"ONNX Runtime refuses the exported graph: {_line(error)}",
            "Leave the model to the other exporter.",
            kind="invalid-graph",
        ) from error
    return lambda inputs: session.run(None, inputs)


def _reference(path: Path) -> Run:
    reference = evaluator(onnx.load(path))
    return lambda inputs: reference.run(None, inputs)


def _array(tensor: torch.Tensor) -> Any:
    if tensor.dtype == torch.bfloat16:
        import ml_dtypes

        return tensor.float().numpy().astype(ml_dtypes.bfloat16)
    return tensor.numpy()


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
