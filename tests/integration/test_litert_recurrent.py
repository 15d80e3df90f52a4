"""Recurrent operators in TFLite, batch and length dynamic, against ONNX Runtime, with XNNPACK and without."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import TensorProto, helper, numpy_helper

from isoform.errors import IsoformError
from isoform.hub import graph
from isoform.hub.emitters import tflite
from isoform.hub.emitters.tflite_ops.recurrent_loop import STEPS_PER_TURN
from isoform.hub.emitters.tflite_ops.recurrent_unrolled import MOST_STEPS, MOST_STEPS_OF_A_FILE

FEATURES, UNITS = 3, 5
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
SHAPES = ((1, 1), (STEPS_PER_TURN, 2), (2 * STEPS_PER_TURN + 3, 3), (STEPS_PER_TURN - 1, 1), (13, 2))
"""Lengths and batches, in an order in which each follows another: one step, whole turns, turns and a rest, no turn."""


def weights(kind: str, directions: int, features: int, *, has_bias: bool) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    rows = GATES[kind] * UNITS
    shapes = [(directions, rows, features), (directions, rows, UNITS), (directions, 2 * rows)]
    return [rng.uniform(-0.7, 0.7, shape).astype(np.float32) for shape in shapes[: 2 + has_bias]]


def model(
    kind: str, direction: str, outputs: Sequence[str], features: int = FEATURES, *,
    has_bias: bool = True, has_state: bool = False, length: int | str = "length", **attributes: object,
) -> onnx.ModelProto:  # fmt: skip
    """Return a graph of one recurrent operator over x [length, batch, features]."""
    directions = 2 if direction == "bidirectional" else 1
    arrays = weights(kind, directions, features, has_bias=has_bias)
    names = ["W", "R", "B"][: len(arrays)] + [""] * (3 - len(arrays))
    states = (["h", "c"] if kind == "LSTM" else ["h"]) if has_state else []
    node = helper.make_node(
        kind, ["x", *names, *([""] if states else []), *states], list(outputs),
        hidden_size=UNITS, direction=direction, **attributes,
    )  # fmt: skip
    value = helper.make_tensor_value_info
    shapes = {"y": [length, directions, "batch", UNITS]}
    inputs = [value("x", TensorProto.FLOAT, [length, "batch", features])]
    inputs += [value(name, TensorProto.FLOAT, [directions, "batch", UNITS]) for name in states]
    given = [value(n, TensorProto.FLOAT, shapes.get(n, [directions, "batch", UNITS])) for n in outputs if n]
    constants = [numpy_helper.from_array(array, name) for array, name in zip(arrays, names, strict=False)]
    return helper.make_model(
        helper.make_graph([node], "recurrent", inputs, given, constants),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )


def require_agreement(
    proto: onnx.ModelProto,
    resolver: OpResolverType,
    features: int = FEATURES,
    shapes: Sequence[tuple[int, int]] = SHAPES,
) -> None:
    reference = onnxruntime.InferenceSession(proto.SerializeToString())
    interpreter = Interpreter(
        model_content=tflite.emit(graph.load(proto)), experimental_op_resolver_type=resolver, num_threads=1
    )
    details = {each["name"]: each["index"] for each in interpreter.get_input_details()}
    rng = np.random.default_rng(3)
    directions = 2 if "bidirectional" in str(proto.graph.node[0]) else 1
    for length, batch in shapes:
        given = {"x": rng.standard_normal((length, batch, features)).astype(np.float32)}
        for name in list(details)[1:]:
            given[name] = rng.uniform(-1, 1, (directions, batch, UNITS)).astype(np.float32)
        for name, array in given.items():
            interpreter.resize_tensor_input(details[name], array.shape)
        interpreter.allocate_tensors()
        first = [array * 0.5 for array in given.values()]
        for arrays in (first, given.values()):  # the second call finds no state of the first
            for place, array in zip(details.values(), arrays, strict=True):
                interpreter.set_tensor(place, array)
            interpreter.invoke()
        for wanted, place in zip(reference.run(None, given), interpreter.get_output_details(), strict=True):
            np.testing.assert_allclose(interpreter.get_tensor(place["index"]), wanted, rtol=1e-5, atol=2e-6)


RESOLVERS = (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
OUTPUTS = {"LSTM": ("y", "y_h", "y_c"), "GRU": ("y", "y_h"), "RNN": ("y", "y_h")}


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", GATES)
def test_all_steps_and_last_states_are_right_at_any_batch_and_length(kind, direction, resolver) -> None:
    require_agreement(model(kind, direction, OUTPUTS[kind]), resolver)


@pytest.mark.parametrize("kind", GATES)
def test_initial_states_are_used(kind: str) -> None:
    require_agreement(model(kind, "bidirectional", OUTPUTS[kind], has_state=True), RESOLVERS[0])


@pytest.mark.parametrize("length", ["length", 5])
def test_one_of_two_states_may_be_given(length: int | str) -> None:
    proto = model("LSTM", "forward", OUTPUTS["LSTM"], has_state=True, length=length)
    proto.graph.node[0].input.pop()
    del proto.graph.input[2]
    require_agreement(proto, RESOLVERS[0], shapes=SHAPES if isinstance(length, str) else [(5, 2)])


@pytest.mark.parametrize("kind", GATES)
def test_the_last_state_alone_is_right_and_no_sequence_is_kept(kind: str) -> None:
    proto = model(kind, "forward", ("", "y_h"))
    require_agreement(proto, RESOLVERS[0])
    built = tflite.build(graph.load(proto))
    variables = {len(sub_graph.inputs) for sub_graph in built.sub_graphs[1:]}
    assert variables == {3 + (2 if kind == "LSTM" else 1)}


@pytest.mark.parametrize("features", [UNITS, 64])
@pytest.mark.parametrize("kind", GATES)
def test_wide_inputs_are_projected_before_the_loop(kind: str, features: int) -> None:
    require_agreement(model(kind, "forward", OUTPUTS[kind], features), RESOLVERS[0], features)


@pytest.mark.parametrize("kind", GATES)
def test_no_bias_is_no_bias(kind: str) -> None:
    require_agreement(model(kind, "forward", OUTPUTS[kind], has_bias=False), RESOLVERS[0])


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_a_reset_gate_after_the_product_is_another_function(resolver: OpResolverType) -> None:
    require_agreement(model("GRU", "bidirectional", OUTPUTS["GRU"], linear_before_reset=1), resolver)


def test_a_simple_cell_may_rectify() -> None:
    require_agreement(model("RNN", "forward", OUTPUTS["RNN"], activations=["Relu"]), RESOLVERS[0])


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (model("LSTM", "forward", ("y",), clip=1.0), "another layout or clipping"),
        (model("LSTM", "forward", ("y",), input_forget=1), "peepholes or coupled gates"),
        (model("GRU", "forward", ("y",), activations=["Sigmoid", "Relu"]), "other activations"),
    ],
)
def test_what_the_loop_does_not_compute_is_refused(proto: onnx.ModelProto, message: str) -> None:
    with pytest.raises(IsoformError) as caught:
        tflite.emit(graph.load(proto))
    assert message in caught.value.what
    assert caught.value.kind == "unsupported-operator"


def test_weights_stand_in_the_file_once_and_bit_for_bit() -> None:
    proto = model("LSTM", "forward", ("y",))
    content = tflite.emit(graph.load(proto))
    for tensor in proto.graph.initializer:
        array = numpy_helper.to_array(tensor)
        parts = np.split(array, 2, axis=1) if tensor.name == "B" else [array]
        assert [content.count(part.tobytes()) for part in parts] == [1] * len(parts)


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize("has_state", [False, True])
@pytest.mark.parametrize("kind", GATES)
def test_a_fixed_length_is_taken_step_by_step_at_any_batch(kind: str, has_state: bool, resolver) -> None:
    proto = model(kind, "bidirectional", OUTPUTS[kind], has_state=has_state, length=5)
    assert len(tflite.build(graph.load(proto)).sub_graphs) == 1
    require_agreement(proto, resolver, shapes=[(5, 1), (5, 3)])


def test_a_length_beyond_the_bound_is_a_loop() -> None:
    built = tflite.build(graph.load(model("LSTM", "forward", ("y",), length=MOST_STEPS + 1)))
    assert len(built.sub_graphs) == 3
    assert sum(len(sub_graph.operators) for sub_graph in built.sub_graphs) < 60


def test_layers_beyond_the_bound_of_a_file_are_loops() -> None:
    count = 1 + MOST_STEPS_OF_A_FILE // MOST_STEPS
    proto = model("RNN", "forward", ("y",), length=MOST_STEPS)
    [node] = proto.graph.node
    for place in range(count - 1):
        another = proto.graph.node.add()
        another.CopyFrom(node)
        another.output[0] = f"y_{place}"
        proto.graph.output.append(helper.make_tensor_value_info(f"y_{place}", TensorProto.FLOAT, None))
    built = tflite.build(graph.load(proto))
    assert built.unrolled_steps == MOST_STEPS_OF_A_FILE
    assert len(built.sub_graphs) == 3


@pytest.mark.parametrize("length", ["length", 5])
def test_no_state_of_a_sequence_is_kept_where_only_its_last_step_is_read(length: int | str) -> None:
    proto = model("LSTM", "forward", ("y",), length=length)
    proto.graph.output.pop()
    proto.graph.output.append(helper.make_tensor_value_info("last", TensorProto.FLOAT, ["batch", UNITS]))
    proto.graph.initializer.append(numpy_helper.from_array(np.array([1]), "one"))
    proto.graph.initializer.append(numpy_helper.from_array(np.array(-1), "end"))
    proto.graph.node.append(helper.make_node("Squeeze", ["y", "one"], ["states"]))
    proto.graph.node.append(helper.make_node("Gather", ["states", "end"], ["last"]))
    require_agreement(proto, RESOLVERS[0], shapes=SHAPES if isinstance(length, str) else [(5, 2)])
    codes = tflite.build(graph.load(proto)).codes
    assert not {schema.BuiltinOperator.PACK, schema.BuiltinOperator.DYNAMIC_UPDATE_SLICE} & set(codes)
