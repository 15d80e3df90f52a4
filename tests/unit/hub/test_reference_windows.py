"""Operators of windows give what ONNX' node tests want, and on drawn attributes what ONNX Runtime computes."""

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from onnx.backend.test.loader import load_model_tests

from isoform.hub.reference_evaluator import evaluator

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
KINDS = ("Conv", "ConvTranspose", "MaxPool", "AveragePool")


def cases() -> list[onnx.backend.test.case.test_case.TestCase]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numbers that the tests of casts cut off
        found = load_model_tests(kind="node")
    models = [case for case in found if case.model is not None]
    return [case for case in models if {node.op_type for node in case.model.graph.node} & set(KINDS)]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_node_tests_of_onnx_hold(case: onnx.backend.test.case.test_case.TestCase) -> None:
    inputs, wanted = case.data_sets[0]
    names = [value.name for value in case.model.graph.input]
    found = evaluator(case.model).run(None, dict(zip(names, inputs, strict=False)))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=case.rtol, atol=case.atol)
        assert one.dtype == other.dtype


def model(op_type: str, inputs: int, **attributes: object) -> onnx.ModelProto:
    names = "xwb"[:inputs]
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names]
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node(op_type, list(names), ["y"], **attributes)], "window", values, [result])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


def assert_as_onnx_runtime(proto: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> None:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    [wanted] = session.run(None, feeds)
    [found] = evaluator(proto).run(None, feeds)
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@st.composite
def windows(draw: st.DrawFn) -> dict[str, list[int]]:
    rank = draw(st.integers(1, 3))
    kernel = draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank))
    inside = [draw(st.integers(0, width - 1)) for width in (*kernel, *kernel)]
    numbers = st.lists(st.integers(1, 2), min_size=rank, max_size=rank)
    return {"kernel_shape": kernel, "strides": draw(numbers), "dilations": draw(numbers), "pads": inside}


@settings(max_examples=60, deadline=None)
@given(windows(), st.sampled_from(["Conv", "ConvTranspose"]), st.sampled_from([1, 2, 4]), st.booleans())
def test_convolutions_of_any_attributes_are_those_of_onnx_runtime(
    about: dict[str, list[int]], op_type: str, groups: int, has_bias: bool
) -> None:
    rng = np.random.default_rng(0)
    shape = (4, 4 // groups) if op_type == "Conv" else (4, 2)
    given_ = {"x": rng.normal(size=(2, 4, *[6] * len(about["kernel_shape"])))}
    given_["w"] = rng.normal(size=(*shape, *about["kernel_shape"]))
    if has_bias:
        given_["b"] = rng.normal(size=4 if op_type == "Conv" else 2 * groups)
    proto = model(op_type, len(given_), group=groups, **about)
    assert_as_onnx_runtime(proto, {name: array.astype(np.float32) for name, array in given_.items()})


@settings(max_examples=60, deadline=None)
@given(windows(), st.sampled_from(["MaxPool", "AveragePool"]), st.booleans())
def test_pools_of_any_attributes_are_those_of_onnx_runtime(
    about: dict[str, list[int]], op_type: str, counts_padding: bool
) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, *[6] * len(about["kernel_shape"]))).astype(np.float32)
    more = {"count_include_pad": int(counts_padding)} if op_type == "AveragePool" else {}
    proto = model(op_type, 1, **about, **more)
    assert_as_onnx_runtime(proto, {"x": x})


def test_a_pool_with_a_ceiling_is_left_to_onnx() -> None:
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 5)).astype(np.float32)
    assert_as_onnx_runtime(model("MaxPool", 1, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), {"x": x})
