"""There and back: what LiteRT computes with isoform's own files, ONNX Runtime computes with their ONNX form.

ONNX' node tests, all inputs but the first made constants and all sizes dynamic, are written as TFLite and read again.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from integration.litert_runner import answers
from isoform import hub
from isoform.errors import IsoformError
from saturation import exact_sums

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")

Case = onnx.backend.test.case.test_case.TestCase
PLAIN = {"right", "not carried", "refused"}
EVERY = 6
"""Of the node tests, which share: all of them take minutes."""
FEWEST_RIGHT = 200
"""Of this share; raise it, never lower it."""
INFINITE = (
    "test_attention_4d_with_past_and_present_qk_matmul_bias_3d_mask_causal",
    "test_attention_4d_with_past_and_present_qk_matmul_bias_4d_mask_causal",
    "test_attention_causal_boolmask_nan_robustness",
    "test_attention_4d_causal_nonpad_negative_offset_structural_empty",
)
"""LiteRT's sums end at the largest number; in ONNX they are infinite again, as the test itself has it."""
Rows = Iterator[tuple[str, onnx.ModelProto, list[np.ndarray], list[np.ndarray]]]


def cases() -> Rows:
    """Yield the tests over plain arrays: name, model of one input whose sizes are dynamic, that input, the answer."""
    for case in load_model_tests(kind="node")[::EVERY]:
        model, inputs = case.model, case.data_sets[0][0] if case.data_sets else []
        arrays = [np.asarray(value) for value in inputs if isinstance(value, (np.ndarray, np.generic))]
        is_plain = all(array.dtype.kind in "fiub" and array.dtype.isbuiltin == 1 and array.size for array in arrays)
        if model is None or not arrays or not is_plain or len(arrays) != len(model.graph.input):
            continue
        yield case.name, dynamic(model, arrays), arrays[:1], case.data_sets[0][1]


def dynamic(model: onnx.ModelProto, arrays: Sequence[np.ndarray]) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value, array in list(zip(copy.graph.input, arrays, strict=True))[1:]:
        copy.graph.initializer.append(numpy_helper.from_array(array, value.name))
    del copy.graph.input[1:]
    del copy.graph.value_info[:]
    for value in (copy.graph.input[0], *copy.graph.output):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.dim_param = f"{value.name}_{axis}"
    return copy


def in_litert(content: bytes, inputs: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    """Return LiteRT's outputs; None where it does not run the file."""
    try:
        return answers(content, inputs)
    except (RuntimeError, ValueError):
        return None


def in_onnxruntime(content: bytes, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    proto = ir.to_proto(hub.from_tflite(content))
    onnx.checker.check_model(proto, full_check=True)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def verdict(name: str, model: onnx.ModelProto, inputs: list[np.ndarray], answers: list[np.ndarray]) -> str:
    """Return "right", "not carried" where there is no TFLite file to read, "refused: why", or what is wrong."""
    try:
        content = hub.to_tflite(model)
    except IsoformError:
        return "not carried"
    wanted = in_litert(content, inputs)
    if wanted is None:
        return "not carried"
    try:
        found = in_onnxruntime(content, inputs)
    except IsoformError as error:
        return f"refused: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, the test reports it
        return f"{type(error).__name__}: {error}"[:300]
    for one, other in zip(found, answers if name.startswith(INFINITE) else wanted, strict=True):
        if (one.shape, one.dtype) != (other.shape, other.dtype):
            return f"{one.dtype}{one.shape}, in LiteRT {other.dtype}{other.shape}"
        if not np.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True):
            return "wrong values"
    return "right"


@exact_sums
@pytest.mark.slow
def test_no_file_that_isoform_writes_comes_back_wrong() -> None:
    verdicts = {row[0]: verdict(*row) for row in cases()}
    count = Counter(text.partition(":")[0] for text in verdicts.values())
    print(dict(count.most_common(3)))
    assert {name: text for name, text in verdicts.items() if text.partition(":")[0] not in PLAIN} == {}
    assert count["right"] >= FEWEST_RIGHT, count["right"]
