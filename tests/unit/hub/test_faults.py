"""Every fault changes what a graph computes, or its interface, and leaves a graph that loads; NumPy is not asked."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from isoform.hub.faults import tflite
from isoform.hub.faults.graph import FAULTS


def array(name: str, *shape: int) -> onnx.TensorProto:
    rng = np.random.default_rng(list(name.encode()))
    return numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)


def image_model() -> ir.Model:
    """Return a graph that has a place for every fault."""
    nodes = [
        helper.make_node("Conv", ["x", "k", "kb"], ["c"], pads=[1, 1, 1, 1], name="conv"),
        helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], epsilon=1e-3, name="norm"),
        helper.make_node("Relu", ["n"], ["r"], name="relu"),
        helper.make_node("Erf", ["r"], ["e"], name="erf"),
        helper.make_node("Softmax", ["e"], ["p"], axis=-1, name="softmax"),
        helper.make_node("GlobalAveragePool", ["p"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "wb"], ["left"]),
        helper.make_node("Unsqueeze", ["f", "zero"], ["step"]),
        helper.make_node("Concat", ["step", "step"], ["q"], axis=0),
        helper.make_node("LSTM", ["q", "lw", "lr"], ["", "h"], hidden_size=4),
        helper.make_node("Squeeze", ["h", "zero"], ["right"]),
    ]
    weights = [
        array("k", 4, 3, 3, 3), array("kb", 4), array("s", 4), array("b", 4), array("m", 4), array("w", 4, 4),
        array("wb", 4), array("lw", 1, 16, 4), array("lr", 1, 16, 4), numpy_helper.from_array(np.array([0]), "zero"),
        numpy_helper.from_array(np.full(4, 0.01, np.float32), "v"),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 6, 6])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("left", "right")], weights,
    )  # fmt: skip
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


X = np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32)
EXPECTED = dict(zip(("left", "right"), ReferenceEvaluator(ir.to_proto(image_model())).run(None, {"x": X}), strict=True))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_says_what_it_did_and_makes_a_difference(name: str) -> None:
    model = image_model()
    told = FAULTS[name](model, np.random.default_rng(0))
    assert told
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto)
    names = [value.name for value in proto.graph.output]
    found = dict(zip(names, ReferenceEvaluator(proto).run(None, {"x": X}), strict=True))
    is_same = all(np.array_equal(found[key], value) for key, value in EXPECTED.items())
    assert is_same == (name == "a frozen axis")
    if name == "a frozen axis":
        assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2


@pytest.mark.parametrize("name", FAULTS)
def test_a_graph_without_a_place_for_a_fault_is_left_as_it_is(name: str) -> None:
    graph = helper.make_graph(
        [helper.make_node("Sin", ["x"], ["y"])], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )  # fmt: skip
    model = ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))
    before = ir.to_proto(model).SerializeToString()
    assert FAULTS[name](model, np.random.default_rng(0)) is None
    assert ir.to_proto(model).SerializeToString() == before


def test_a_weight_that_a_tflite_file_shares_is_changed_for_all_who_read_it() -> None:
    model, rng = image_model(), np.random.default_rng(0)
    first = model.graph.initializers["k"]
    twin = ir.Value(name="twin", shape=first.shape, type=first.type, const_value=ir.tensor(first.const_value.numpy()))
    model.graph.register_initializer(twin)
    for name in ("w", "lw", "lr"):  # the only kernel that is left is "k"
        model.graph.initializers[name].const_value = ir.tensor(np.zeros(1, np.float32), name=name)
    assert tflite.FAULTS["stale weights"](model, rng) == "'k'"
    assert np.array_equal(twin.const_value.numpy(), first.const_value.numpy())
    assert not np.array_equal(twin.const_value.numpy(), array_of("k"))


def array_of(name: str) -> np.ndarray:
    return image_model().graph.initializers[name].const_value.numpy()


def test_the_same_seed_plants_the_same_fault() -> None:
    told = {FAULTS["stale weights"](image_model(), np.random.default_rng(3)) for _ in range(3)}
    assert len(told) == 1
