"""Every operator that the TFLite emitter carries, on ONNX' own backend tests: right, or refused, never wrong.

Each case is taken three times: as it is, with all inputs but the first made constants (as weights, axes and sizes are
in real graphs), and the same with every size of the first input dynamic. A case that is refused says why; a case that
runs has to agree, with XNNPACK and without.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from isoform.errors import IsoformError
from isoform.hub import graph
from isoform.hub.emitters import tflite

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")

Case = onnx.backend.test.case.test_case.TestCase
Arrays = list[np.ndarray]
RESOLVERS = (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
CARRIED = {name for domain, name in tflite.OPERATORS.rows if domain == "" or domain.startswith("isoform")}
FEWEST_RIGHT = {"as it is": 802, "constants": 628, "dynamic": 831}
"""Of the cases over carried operators; raise it with every operator, never lower it."""
KNOWN_LIMITS = {
    "test_reshape_zero_dim": "LiteRT refuses a target that the caller computes and that holds 0",
    "test_reshape_zero_and_negative_dim": "the same",
    "test_attention_4d_with_past_and_present_qk_matmul_bias_3d_mask_causal_expanded": "sums end at the largest number",
    "test_attention_4d_with_past_and_present_qk_matmul_bias_4d_mask_causal_expanded": "the same",
    "test_attention_causal_boolmask_nan_robustness_expanded": "so a row without any key is not seen as one",
    "test_attention_4d_causal_nonpad_negative_offset_structural_empty_expanded": "the same",
}
"""What LiteRT's kernels do otherwise, whatever the file says: ADD knows no infinity."""


def cases() -> Iterator[Case]:
    """Yield the node tests whose graphs hold only operators that are carried, and values that NumPy has."""
    for case in load_model_tests(kind="node"):
        model = case.model
        if model is None or not {node.op_type for node in model.graph.node} <= CARRIED | {"Constant"}:
            continue
        inputs, outputs = case.data_sets[0]
        values = [np.asarray(value) if isinstance(value, np.generic) else value for value in (*inputs, *outputs)]
        is_plain = all(isinstance(a, np.ndarray) and a.dtype.kind in "fiub" and a.dtype.isbuiltin == 1 for a in values)
        # LiteRT has no tensors without elements.
        if is_plain and all(array.size for array in values) and len(inputs) == len(model.graph.input):
            yield case


def variants(case: Case) -> Iterator[tuple[str, onnx.ModelProto, Arrays]]:
    """Yield the model in its three forms, with the inputs that are left."""
    inputs = [np.asarray(array) for array in case.data_sets[0][0]]
    yield "as it is", copied(case.model), inputs
    if not inputs:
        return
    model = copied(case.model)
    for value, array in list(zip(model.graph.input, inputs, strict=True))[1:]:
        model.graph.initializer.append(numpy_helper.from_array(array, value.name))
    del model.graph.input[1:]
    if len(inputs) > 1:
        yield "constants", copied(model), inputs[:1]
    del model.graph.value_info[:]
    for value in (model.graph.input[0], *model.graph.output):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.dim_param = f"{value.name}_{axis}"
    if inputs[0].ndim:
        yield "dynamic", model, inputs[:1]


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def answers(content: bytes, inputs: Sequence[np.ndarray], resolver: OpResolverType) -> Arrays:
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=resolver)
    places = [details["index"] for details in interpreter.get_input_details()]
    for place, array in zip(places, inputs, strict=True):
        interpreter.resize_tensor_input(place, array.shape)
    interpreter.allocate_tensors()
    for place, array in zip(places, inputs, strict=True):
        interpreter.set_tensor(place, array)
    interpreter.invoke()
    return [interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()]


def verdict(case: Case, model: onnx.ModelProto, inputs: Arrays) -> str:
    """Return "right", "refused" or what is wrong."""
    try:
        content = tflite.emit(graph.load(model))
    except IsoformError:
        return "refused"
    for resolver in RESOLVERS:
        try:
            found = answers(content, inputs, resolver)
        except (RuntimeError, ValueError) as error:
            return f"does not run: {str(error).splitlines()[0]}"
        for wanted, array in zip(case.data_sets[0][1], found, strict=True):
            if wanted.shape != array.shape or wanted.dtype != array.dtype:
                return f"{array.dtype}{array.shape}, expected {wanted.dtype}{wanted.shape}"
            if not np.allclose(wanted, array, rtol=max(case.rtol, 1e-3), atol=max(case.atol, 1e-6), equal_nan=True):
                return "wrong values"
    return "right"


def test_no_case_over_carried_operators_is_wrong() -> None:
    verdicts = {
        (case.name, form): verdict(case, model, inputs)
        for case in cases()
        if case.name not in KNOWN_LIMITS
        for form, model, inputs in variants(case)
    }
    right = Counter(form for (_, form), text in verdicts.items() if text == "right")
    print(dict(right), sum(text == "refused" for text in verdicts.values()), "refused")
    assert {key: text for key, text in verdicts.items() if text not in ("right", "refused")} == {}
    assert all(right[form] >= fewest for form, fewest in FEWEST_RIGHT.items()), right


@pytest.mark.parametrize("keepdims", [0, 1])
def test_a_logarithm_of_summed_exponentials_does_not_overflow(keepdims: int) -> None:
    """ONNX' own cases of this operator are float64 alone."""
    node = onnx.helper.make_node("ReduceLogSumExp", ["x", "axes"], ["y"], keepdims=keepdims)
    sides = [[onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)] for name in ("x", "y")]
    sides[0][0].CopyFrom(onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, 4]))
    axes = numpy_helper.from_array(np.array([1]), "axes")
    proto = onnx.helper.make_graph([node], "sums", *sides, [axes])
    model = onnx.helper.make_model(proto, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    x = np.random.default_rng(2).uniform(-200, 200, (2, 3, 4)).astype(np.float32)
    wanted = np.logaddexp.reduce(x.astype(np.float64), axis=1, keepdims=bool(keepdims))
    for resolver in RESOLVERS:
        [found] = answers(tflite.emit(graph.load(model)), [x], resolver)
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
