"""Every operator that the PyTorch emitter carries, on ONNX' own backend tests: right, or refused, never wrong.

What is right as a module is traced too, as TorchScript files are: that is again right, or refused.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from isoform import hub
from isoform.errors import IsoformError
from isoform.hub import torch_source
from isoform.hub.emitters import torch as emitter

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning", "ignore::torch.jit.TracerWarning"
)

Case = onnx.backend.test.case.test_case.TestCase
Arrays = list[np.ndarray]
CARRIED = {name for domain, name in emitter.OPERATORS.rows if domain == ""}
FEWEST_RIGHT, FEWEST_RIGHT_TRACED = 1268, 1059
"""Of the cases over carried operators; raise them with every operator, never lower them."""
HALF_RTOL = 4 * float(np.finfo(np.float16).eps)
"""Half precision rounds after every operator; kernels that accumulate otherwise end a unit in the last place apart."""
KINDS = "fiub"
"""NumPy's own numbers and booleans; torch.from_numpy takes no others, bfloat16 and the small floats among them."""


def cases() -> Iterator[Case]:
    """Yield the node tests whose graphs hold only operators that are carried."""
    for case in load_model_tests(kind="node"):
        model = case.model
        if model is not None and {node.op_type for node in model.graph.node} <= CARRIED:
            yield case


def arrays(values: Sequence[object]) -> Arrays | None:
    """Return the values as arrays; None where one is a sequence, missing, or of a type that NumPy has not."""
    if not all(isinstance(value, (np.ndarray, np.generic, onnx.TensorProto)) for value in values):
        return None
    found = [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else np.asarray(v) for v in values]
    return found if all(array.dtype.kind in KINDS and array.dtype.isbuiltin == 1 for array in found) else None


def difference(case: Case, wanted: Arrays, found: Arrays) -> str:
    """Return "right" or what differs."""
    for one, other in zip(wanted, found, strict=True):
        if one.shape != other.shape or one.dtype != other.dtype:
            return f"{other.dtype}{other.shape}, expected {one.dtype}{one.shape}"
        rtol = HALF_RTOL if one.dtype == np.float16 else max(case.rtol, 1e-3)
        if not np.allclose(one, other, rtol=rtol, atol=max(case.atol, 1e-6), equal_nan=True):
            return "wrong values"
    return "right"


@torch.no_grad()
def verdict(case: Case, prepare: Callable[..., Callable[..., object]]) -> str:
    """Return "right", "refused" or what is wrong."""
    inputs, outputs = (arrays(values) for values in case.data_sets[0])
    if inputs is None or outputs is None:
        return "left out"
    tensors = tuple(torch.from_numpy(array.copy()) for array in inputs)
    try:
        run = prepare(hub.to_torch(case.model), tensors)
        found = [tensor.numpy() for tensor in torch_source.flattened(run(*tensors))]
    except IsoformError:
        return "refused"
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:150]}"
    return difference(case, outputs, found)


def as_it_is(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> Callable[..., object]:
    return module


def traced(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> Callable[..., object]:
    script: Callable[..., object] = torch.jit.trace(module, tensors, check_trace=False, strict=False)
    return script


@pytest.mark.parametrize(("prepare", "fewest"), [(as_it_is, FEWEST_RIGHT), (traced, FEWEST_RIGHT_TRACED)])
def test_no_case_over_carried_operators_is_wrong(prepare: Callable[..., Callable[..., object]], fewest: int) -> None:
    verdicts = {case.name: verdict(case, prepare) for case in cases() if prepare is as_it_is or case.data_sets[0][0]}
    right = sum(text == "right" for text in verdicts.values())
    print(f"{right} right, {sum(text == 'refused' for text in verdicts.values())} refused of {len(verdicts)}")
    assert {name: text for name, text in verdicts.items() if text not in ("right", "refused", "left out")} == {}
    assert right >= fewest
