"""Every operator that the TensorFlow emitter carries, on ONNX' own backend tests: right, or refused, never wrong."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from isoform import hub
from isoform.errors import IsoformError
from isoform.hub.emitters import tensorflow as emitter

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning"),
]

Case = onnx.backend.test.case.test_case.TestCase
CARRIED = {name for domain, name in emitter.OPERATORS.rows if domain == ""}
KNOWN_WRONG: dict[str, str] = {}
"""Cases that are not right yet, and why: an entry that becomes right has to go."""


def cases() -> Iterator[Case]:
    """Yield the node tests whose graphs hold only operators that are carried."""
    for case in load_model_tests(kind="node"):
        model = case.model
        if model is not None and {node.op_type for node in model.graph.node} <= CARRIED:
            yield case


def with_weights(model: onnx.ModelProto, inputs: Sequence[np.ndarray]) -> onnx.ModelProto:
    """Return the model with all inputs but the first as initialisers: the form in which models hold their weights."""
    baked = onnx.ModelProto()
    baked.CopyFrom(model)
    names = [value.name for value in model.graph.input]
    baked.graph.initializer.extend(map(numpy_helper.from_array, inputs[1:], names[1:]))
    del baked.graph.input[1:]
    return baked


def verdict(case: Case, has_weights: bool) -> str:
    """Return "right", "refused" or what is wrong."""
    inputs, outputs = case.data_sets[0]
    if not all(isinstance(array, np.ndarray) and array.dtype.kind in "fiub" for array in (*inputs, *outputs)):
        return "refused"
    model, given = case.model, inputs
    if has_weights and len(inputs) == len(model.graph.input):
        model, given = with_weights(model, inputs), inputs[:1]
    try:
        found: Any = hub.to_tensorflow(model).serve(*map(tf.constant, given))
    except IsoformError:
        return "refused"
    except (ValueError, TypeError, tf.errors.OpError) as error:
        return f"does not run: {type(error).__name__} {str(error).splitlines()[0][:120]}"
    for wanted, tensor in zip(outputs, found, strict=True):
        array = tensor.numpy()
        if wanted.shape != array.shape or wanted.dtype != array.dtype:
            return f"{array.dtype}{array.shape}, expected {wanted.dtype}{wanted.shape}"
        tolerance = 2e-3 if wanted.dtype == np.float16 else 1e-3
        if not np.allclose(wanted, array, rtol=max(case.rtol, tolerance), atol=max(case.atol, 1e-6), equal_nan=True):
            return "wrong values"
    return "right"


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("has_weights", "fewest_right"), [(False, 1096), (True, 1167)], ids=["inputs", "weights"])
def test_no_case_over_carried_operators_is_wrong(has_weights: bool, fewest_right: int) -> None:
    verdicts = {case.name: verdict(case, has_weights) for case in cases()}
    wrong = {name: text for name, text in verdicts.items() if text not in ("right", "refused")}
    right = sum(text == "right" for text in verdicts.values())
    print(f"{right} right, {len(verdicts) - right - len(wrong)} refused")
    assert wrong == KNOWN_WRONG
    assert right >= fewest_right
