"""Recurrent networks in TFLite: one loop, any batch and any length, the same numbers as ONNX Runtime."""

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import TensorProto, helper, numpy_helper

from isoform import hub

FEATURES, UNITS = 5, 8
SIZES = ((1, 1), (7, 2), (40, 1), (3, 5))
RESOLVERS = (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)


def network(direction: str, outputs: list[str], *, has_states: bool = False) -> onnx.ModelProto:
    """Return one LSTM over x [length, batch, features]."""
    rng = np.random.default_rng(0)
    count = 2 if direction == "bidirectional" else 1
    weights = [
        numpy_helper.from_array((rng.standard_normal(shape) * 0.5).astype(np.float32), name)
        for name, shape in (
            ("W", (count, 4 * UNITS, FEATURES)), ("R", (count, 4 * UNITS, UNITS)), ("B", (count, 8 * UNITS)),
        )
    ]  # fmt: skip
    states = ["", "h0", "c0"] if has_states else []
    node = helper.make_node(
        "LSTM", ["x", "W", "R", "B", *states], ["Y", "Y_h", "Y_c"], hidden_size=UNITS, direction=direction
    )
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["length", "batch", FEATURES])]
    if has_states:
        inputs += [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [count, "batch", UNITS]) for name in ("h0", "c0")
        ]
    shapes = {"Y": ["length", count, "batch", UNITS], "Y_h": [count, "batch", UNITS], "Y_c": [count, "batch", UNITS]}
    graph = helper.make_graph(
        [node], "lstm", inputs,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs], weights,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def answers(content: bytes, inputs: dict[str, np.ndarray], resolver: OpResolverType) -> dict[str, np.ndarray]:
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=resolver)
    for details in interpreter.get_input_details():
        interpreter.resize_tensor_input(details["index"], inputs[details["name"]].shape, strict=True)
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], inputs[details["name"]])
    interpreter.invoke()
    return {details["name"]: interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()}


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("outputs", [["Y"], ["Y_h"], ["Y", "Y_h", "Y_c"]], ids="+".join)
@pytest.mark.parametrize("has_states", [False, True], ids=["zero states", "given states"])
def test_an_lstm_agrees_at_every_batch_and_length(direction: str, outputs: list[str], has_states: bool) -> None:
    model = network(direction, outputs, has_states=has_states)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    content = hub.to_tflite(model)
    rng = np.random.default_rng(1)
    count = 2 if direction == "bidirectional" else 1
    for length, batch in SIZES:
        inputs = {"x": rng.standard_normal((length, batch, FEATURES)).astype(np.float32)}
        if has_states:
            inputs |= {name: rng.standard_normal((count, batch, UNITS)).astype(np.float32) for name in ("h0", "c0")}
        wanted = dict(zip(outputs, session.run(outputs, inputs), strict=True))
        for resolver in RESOLVERS:
            found = answers(content, inputs, resolver)
            for name in outputs:
                np.testing.assert_allclose(found[name], wanted[name], rtol=1e-4, atol=2e-6)


def test_an_lstm_is_one_loop_of_builtin_operators() -> None:
    model = schema.ModelT.InitFromPackedBuf(hub.to_tflite(network("forward", ["Y"])), 0)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}
    codes = [names[code.builtinCode] for code in model.operatorCodes]
    assert codes.count("WHILE") == 1
    assert "CUSTOM" not in codes
    assert sum(len(graph.operators) for graph in model.subgraphs) < 40
