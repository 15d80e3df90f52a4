"""Recurrent layers beyond PyTorch's kernels stay loops when traced: any length, any batch, rows of their own length."""

import re
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.emitters import torch as emitter

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

UNITS, FEATURES = 3, 2
GATES = {"GRU": 3, "RNN": 1, "LSTM": 4}
STATES = {"GRU": ["h"], "RNN": ["h"], "LSTM": ["h", "c"]}


def model_of(op_type: str, attributes: str, directions: int) -> onnx.ModelProto:
    model = parser.parse_model(
        f"""<ir_version: 10, opset_import: ["" : 18]>
        g (float[l,n,{FEATURES}] x, int32[n] lengths) => (float[l,d,n,u] y, float[d,n,u] last) {{
            y, last = {op_type}<hidden_size={UNITS}{attributes}>(x, w, r, b, lengths) }}"""
    )
    rng = np.random.default_rng(4)
    rows = GATES[op_type] * UNITS
    shapes = {"w": (directions, rows, FEATURES), "r": (directions, rows, UNITS), "b": (directions, 2 * rows)}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(rng.uniform(-1, 1, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    )
    return model


def inputs(length: int, lengths: list[int]) -> dict[str, np.ndarray]:
    x = np.random.default_rng(length).uniform(-1, 1, (length, len(lengths), FEATURES)).astype(np.float32)
    return {"x": x, "lengths": np.array(lengths, np.int32)}


def traced(model: onnx.ModelProto, example: dict[str, np.ndarray]) -> torch.jit.ScriptModule:
    module = emitter.emit(graph.load(model))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        return torch.jit.trace(module, tuple(map(torch.from_numpy, example.values())), check_trace=False)


@pytest.mark.parametrize("op_type", list(GATES))
@pytest.mark.parametrize(("length", "lengths"), [(7, [7, 7, 7]), (1, [1]), (6, [6, 6])])
def test_full_rows_are_what_onnx_computes_at_other_sizes(op_type: str, length: int, lengths: list[int]) -> None:
    model = model_of(op_type, "", 1)
    case = inputs(length, lengths)
    wanted = ReferenceEvaluator(model).run(None, case)
    found = traced(model, inputs(4, [4, 2]))(*map(torch.from_numpy, case.values()))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op_type", list(GATES))
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_each_row_ends_at_its_own_length(op_type: str, direction: str) -> None:
    model = model_of(op_type, f', direction="{direction}"', 2 if direction == "bidirectional" else 1)
    script = traced(model, inputs(4, [4, 2]))
    whole = script(*map(torch.from_numpy, inputs(5, [5, 3]).values()))
    case = inputs(5, [5, 3])
    alone = script(torch.from_numpy(case["x"][:3, 1:]), torch.tensor([3], dtype=torch.int32))
    torch.testing.assert_close(whole[0][:3, :, 1:], alone[0])
    torch.testing.assert_close(whole[1][:, 1:], alone[1])
    assert not whole[0][3:, :, 1].any()


FORMS = {
    "GRU": [
        "", "linear_before_reset=1", "clip=0.3", 'activations=["HardSigmoid", "Softsign"], activation_alpha=[0.3]',
        'activations=["Sigmoid", "LeakyRelu"], activation_alpha=[0.2]',
    ],
    "RNN": [
        "", "clip=0.2", 'activations=["Relu"]',
        'activations=["Affine"], activation_alpha=[0.4], activation_beta=[0.1]',
    ],
    "LSTM": [
        "", "clip=0.4", "input_forget=1", 'activations=["HardSigmoid", "Elu", "Softplus"], activation_alpha=[0.3, 0.7]',
        'activations=["Sigmoid", "ScaledTanh", "ThresholdedRelu"], activation_alpha=[0.8, 0.1], activation_beta=[1.2]',
    ],
}  # fmt: skip


def full_model(op_type: str, form: str, direction: str, peepholes: bool) -> onnx.ModelProto:
    """Return a layer with lengths and initial states as inputs; a form's activations stand twice for two directions."""
    count = 2 if direction == "bidirectional" else 1
    if count == 2:
        form = re.sub(r"\[(.*?)\]", r"[\1, \1]", form)
    attributes = ", ".join(filter(None, [f'hidden_size={UNITS}, direction="{direction}"', form]))
    starts = [f"start_{name}" for name in STATES[op_type]]
    last = [f"last_{name}" for name in STATES[op_type]]
    given = "".join(f", float[{count},n,{UNITS}] {name}" for name in starts)
    made = "".join(f", float[{count},n,{UNITS}] {name}" for name in last)
    model = parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 14]>
        g (float[l,n,{FEATURES}] x, int32[n] lengths{given}) => (float[l,{count},n,{UNITS}] y{made}) {{
            y, {", ".join(last)} = {op_type}<{attributes}>(x, w, r, b, lengths, {", ".join(starts)}{", p" * peepholes})
        }}"""
    )
    rng, rows = np.random.default_rng(5), GATES[op_type] * UNITS
    shapes = {"w": (count, rows, FEATURES), "r": (count, rows, UNITS), "b": (count, 2 * rows)}
    shapes |= {"p": (count, 3 * UNITS)} if peepholes else {}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(rng.uniform(-1, 1, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    )
    return model


def full_inputs(op_type: str, count: int, length: int, lengths: list[int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(length)
    states = {f"start_{name}": rng.uniform(-1, 1, (count, len(lengths), UNITS)) for name in STATES[op_type]}
    return inputs(length, lengths) | {name: state.astype(np.float32) for name, state in states.items()}


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(
    ("op_type", "form", "peepholes"),
    [(op_type, form, False) for op_type, forms in FORMS.items() for form in forms]
    + [("LSTM", "", True), ("LSTM", "clip=0.4, input_forget=1", True)],
)
def test_a_layer_computes_what_onnx_runtime_does(op_type: str, form: str, peepholes: bool, direction: str) -> None:
    model = full_model(op_type, form, direction, peepholes)
    count = 2 if direction == "bidirectional" else 1
    case = full_inputs(op_type, count, 6, [6, 2, 4])
    wanted = onnxruntime.InferenceSession(model.SerializeToString()).run(None, case)
    module = emitter.emit(graph.load(model))
    found = module(*map(torch.from_numpy, case.values()))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("op_type", list(GATES))
def test_lengths_and_states_stay_inputs_when_traced(op_type: str) -> None:
    model = full_model(op_type, "clip=0.5", "bidirectional", op_type == "LSTM")
    example, case = full_inputs(op_type, 2, 4, [4, 2]), full_inputs(op_type, 2, 7, [7, 1, 5])
    script = traced(model, example)
    wanted = onnxruntime.InferenceSession(model.SerializeToString()).run(None, case)
    for one, other in zip(script(*map(torch.from_numpy, case.values())), wanted, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-4, atol=1e-5)


def test_weights_bear_the_names_of_their_initialisers_and_get_gradients() -> None:
    module = emitter.emit(graph.load(full_model("LSTM", "", "forward", True)))
    case = full_inputs("LSTM", 1, 5, [5, 3])
    module(*map(torch.from_numpy, case.values()))[0].square().sum().backward()
    parameters = dict(module.named_parameters())
    assert sorted(parameters) == ["b", "p", "r", "w"]
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in parameters.values())
