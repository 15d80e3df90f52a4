"""Every operator that the TFLite emitter carries, on ONNX' own backend tests: right, or refused, never wrong.

A case that is refused says why; a case that runs has to agree, with XNNPACK and without.
"""

from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx.backend.test.loader import load_model_tests

from isoform.errors import IsoformError
from isoform.hub import graph
from isoform.hub.emitters import tflite

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")

RESOLVERS = (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
CARRIED = {name for domain, name in tflite.OPERATORS.rows if domain == "" or domain.startswith("isoform")}
FEWEST_RIGHT = 220
"""Of the cases over carried operators; raise it with every operator, never lower it."""
REFUSED_BY_LITERT = {
    "test_reshape_zero_dim": "a target computed by the caller that holds 0",
    "test_reshape_zero_and_negative_dim": "a target computed by the caller that holds 0",
}
"""LiteRT ends such a call with an error of its own; the value is known only when the model runs."""


def cases() -> Iterator[onnx.backend.test.case.test_case.TestCase]:
    """Yield the node tests whose graphs hold only operators that are carried."""
    for case in load_model_tests(kind="node"):
        model = case.model
        if model is not None and {node.op_type for node in model.graph.node} <= CARRIED:
            yield case


def answers(content: bytes, inputs: list[np.ndarray], resolver: OpResolverType) -> list[np.ndarray]:
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=resolver)
    places = [details["index"] for details in interpreter.get_input_details()]
    for place, array in zip(places, inputs, strict=True):
        interpreter.resize_tensor_input(place, array.shape)
    interpreter.allocate_tensors()
    for place, array in zip(places, inputs, strict=True):
        interpreter.set_tensor(place, array)
    interpreter.invoke()
    return [interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()]


def verdict(case: onnx.backend.test.case.test_case.TestCase) -> str:
    """Return "right", "refused" or what is wrong."""
    inputs, outputs = case.data_sets[0]
    if not all(isinstance(array, np.ndarray) and array.dtype.kind in "fiub" for array in (*inputs, *outputs)):
        return "refused"
    if case.name in REFUSED_BY_LITERT or 0 in (array.size for array in (*inputs, *outputs)):
        return "refused"  # LiteRT has no tensors without elements
    try:
        content = tflite.emit(graph.load(case.model))
    except IsoformError:
        return "refused"
    for resolver in RESOLVERS:
        try:
            found = answers(content, inputs, resolver)
        except (RuntimeError, ValueError) as error:
            return f"does not run: {str(error).splitlines()[0]}"
        for wanted, array in zip(outputs, found, strict=True):
            if wanted.shape != array.shape or wanted.dtype != array.dtype:
                return f"{array.dtype}{array.shape}, expected {wanted.dtype}{wanted.shape}"
            if not np.allclose(wanted, array, rtol=max(case.rtol, 1e-3), atol=max(case.atol, 1e-6), equal_nan=True):
                return "wrong values"
    return "right"


def test_no_case_over_carried_operators_is_wrong() -> None:
    verdicts = {case.name: verdict(case) for case in cases()}
    wrong = {name: text for name, text in verdicts.items() if text not in ("right", "refused")}
    right = sum(text == "right" for text in verdicts.values())
    print(f"{right} right, {len(verdicts) - right - len(wrong)} refused")
    assert wrong == {}
    assert right >= FEWEST_RIGHT
