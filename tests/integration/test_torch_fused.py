"""Linear layers and attention become PyTorch's own kernels where that is the same function, and only there."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper, parser

from isoform.hub import graph
from isoform.hub.emitters import torch as emitter

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

RNG = np.random.default_rng(7)
HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
ATTENTION = """g (float[n,2,s,4] q, float[n,2,t,4] k, float[n,2,t,4] v{inputs}) => (float[n,2,s,4] y) {{
    kt = Transpose <perm = [0, 1, 3, 2]> (k)
    a = MatMul (q, kt)
    b = Mul (a, half)
    c = {mask}
    p = Softmax <axis = -1> (c)
    y = MatMul (p, v)
}}"""


def model_of(text: str, **weights: np.ndarray) -> onnx.ModelProto:
    model = parser.parse_model(HEAD + text)
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(w, np.float32), n) for n, w in weights.items())
    return model


def called(module: torch.fx.GraphModule) -> list[str]:
    return [getattr(node.target, "__name__", "") for node in module.graph.nodes if node.op == "call_function"]


def compare(model: onnx.ModelProto, module: torch.nn.Module, **case: np.ndarray) -> None:
    wanted = onnxruntime.InferenceSession(model.SerializeToString()).run(None, case)[0]
    found = module(*map(torch.from_numpy, case.values())).detach().numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def qkv(s: int, t: int) -> dict[str, np.ndarray]:
    return {
        name: RNG.standard_normal((3, 2, size, 4)).astype(np.float32)
        for name, size in zip("qkv", (s, t, t), strict=True)
    }


def test_a_product_with_a_matrix_and_its_bias_are_a_linear_layer_with_weights_as_pytorch_has_them() -> None:
    text = "g (float[n,m,3] x) => (float[n,m,5] y) { a = MatMul (x, w) y = Add (b, a) }"
    model = model_of(text, w=RNG.standard_normal((3, 5)), b=RNG.standard_normal(5))
    module = emitter.emit(graph.load(model))
    assert called(module) == ["linear"]
    assert {name: tuple(weight.shape) for name, weight in module.named_parameters()} == {"w": (5, 3), "b": (5,)}
    compare(model, module, x=RNG.standard_normal((2, 4, 3)).astype(np.float32))


def test_a_matrix_that_two_layers_share_stays_one_parameter() -> None:
    text = "g (float[n,3] x) => (float[n,3] y) { a = MatMul (x, w) r = Relu (a) y = MatMul (r, w) }"
    model = model_of(text, w=RNG.standard_normal((3, 3)))
    module = emitter.emit(graph.load(model))
    assert called(module) == ["linear", "relu", "linear"]
    assert [name for name, _ in module.named_parameters()] == ["w"]
    compare(model, module, x=RNG.standard_normal((2, 3)).astype(np.float32))


def test_an_added_matrix_is_no_bias() -> None:
    text = "g (float[4,3] x) => (float[4,5] y) { a = MatMul (x, w) y = Add (a, b) }"
    model = model_of(text, w=RNG.standard_normal((3, 5)), b=RNG.standard_normal((4, 5)))
    module = emitter.emit(graph.load(model))
    assert called(module) == ["linear", "add"]
    compare(model, module, x=RNG.standard_normal((4, 3)).astype(np.float32))


@pytest.mark.parametrize("mask", [None, np.triu(np.full((5, 5), -np.inf), 1)])
def test_attention_is_one_call_with_the_scale_and_the_constant_mask(mask: np.ndarray | None) -> None:
    text = ATTENTION.format(inputs="", mask="Identity (b)" if mask is None else "Add (b, m)")
    model = model_of(text, half=np.array(0.37), **({} if mask is None else {"m": mask}))
    module = emitter.emit(graph.load(model))
    assert called(module) == ["attention"]
    compare(model, module, **qkv(5, 5))


@pytest.mark.parametrize("inputs", ["", ", float[s,t] m"])
def test_a_mask_that_may_hide_everything_keeps_the_meaning_of_softmax(inputs: str) -> None:
    hidden = np.full((2, 3), -np.inf, np.float32)
    model = model_of(
        ATTENTION.format(inputs=inputs, mask="Add (b, m)"), half=np.array(0.5), **({} if inputs else {"m": hidden})
    )
    module = emitter.emit(graph.load(model))
    assert "softmax" in called(module)
    compare(model, module, **qkv(2, 3), **({"m": hidden} if inputs else {}))


def test_swish_and_gelu_and_hard_sigmoid_are_calls_of_their_own() -> None:
    text = """g (float[n] x) => (float[n] y) {
        s = Sigmoid (x)
        a = Mul (s, x)
        y = HardSigmoid <alpha = 0.16666667, beta = 0.5> (a)
    }"""
    model = model_of(text)
    module = emitter.emit(graph.load(model))
    assert called(module) == ["swish", "hard_sigmoid"]
    compare(model, module, x=np.linspace(-6, 6, 41, dtype=np.float32))
