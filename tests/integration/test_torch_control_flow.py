"""Branches and loops: what ONNX Runtime computes, as a module and traced, for decisions other than those traced too."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import parser

from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import graph, torchscript
from isoform.hub.emitters import torch as emitter

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

Arrays = dict[str, np.ndarray]


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


BRANCH = """<ir_version: 8, opset_import: ["" : 17]>
g (bool c, float[n] x) => (float[n] y)
  <float[1] w = {3.0}> {
    y = If (c) <
      then_branch = t () => (float[n] a) { a = Mul (x, w) },
      else_branch = e () => (float[n] b) { d = Add (x, w) b = Neg (d) }>
}"""
LOOP = """<ir_version: 8, opset_import: ["" : 17]>
g (int64 most, float[n] x) => (float[n] last, float[r,n] rows)
  <float[1] limit = {100.0}, float[1] w = {2.0}, bool go = {1}> {
    last, rows = Loop (most, go, x) <
      body = b (int64 i, bool c, float[n] h) => (bool again, float[n] new, float[n] row) {
        new = Mul (h, w)
        axes = Constant <value_ints = [0]> ()
        s = ReduceSum <keepdims = 1> (new, axes)
        less = Less (s, limit)
        flat = Constant <value_ints = [-1]> ()
        one = Squeeze (less)
        again = Identity (one)
        number = Cast <to = 1> (i)
        row = Add (new, number)
      }>
}"""
SCAN = """<ir_version: 8, opset_import: ["" : 17]>
g (float[k] h0, float[l,k] x) => (float[k] h, float[k,m] y)
  <float[1] w = {0.5}> {
    h, y = Scan <num_scan_inputs = 1, scan_input_directions = [1], scan_output_axes = [1],
      body = b (float[k] s, float[k] e) => (float[k] t, float[k] out) {
        p = Mul (s, w)
        t = Add (p, e)
        out = Tanh (t)
      }> (h0, x)
}"""
NESTED = """<ir_version: 8, opset_import: ["" : 17]>
g (int64 most, float[n] x) => (float[n] last)
  <float[1] w = {1.5}, float[1] top = {10.0}, bool go = {1}> {
    last = Loop (most, go, x) <
      body = b (int64 i, bool c, float[n] h) => (bool again, float[n] new) {
        again = Identity (c)
        m = ReduceMax <keepdims = 0> (h)
        limit = Squeeze (top)
        big = Greater (m, limit)
        new = If (big) <
          then_branch = t () => (float[n] a) { a = Div (h, w) },
          else_branch = e () => (float[n] z) { q = Mul (h, w) z = Add (q, x) }>
      }>
}"""
TRUE, FALSE = np.array(True), np.array(False)
CASES = {
    "branch": (BRANCH, [{"c": TRUE, "x": f32(1, 2)}, {"c": FALSE, "x": f32(1, 2, 3)}]),
    "loop": (LOOP, [{"most": np.array(n), "x": f32(1, *[0.5] * n)} for n in (3, 1, 9, 0)]),
    "scan": (SCAN, [{"h0": f32(1, -1), "x": np.arange(2.0 * n, dtype=np.float32).reshape(n, 2)} for n in (3, 1, 7)]),
    "nested": (NESTED, [{"most": np.array(n), "x": f32(1, 4, 2)} for n in (2, 0, 5, 12)]),
}


def wanted(text: str, case: Arrays) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(parser.parse_model(text).SerializeToString())
    found: list[np.ndarray] = session.run(None, case)
    return found


def module_of(text: str) -> torch.nn.Module:
    return emitter.emit(graph.load(parser.parse_model(text)))


def traced(module: torch.nn.Module, case: Arrays) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        return torch.jit.trace(module, tensors(case), check_trace=False)


def tensors(case: Arrays) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(np.asarray(array)) for array in case.values())


def same(found: object, expected: list[np.ndarray]) -> None:
    values = found if isinstance(found, tuple) else (found,)
    for one, other in zip(values, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-6)


@pytest.mark.parametrize("name", list(CASES))
def test_a_module_computes_what_onnx_runtime_does(name: str) -> None:
    text, cases = CASES[name]
    module = module_of(text)
    for case in cases:
        same(module(*tensors(case)), wanted(text, case))


@pytest.mark.parametrize("name", list(CASES))
def test_a_traced_module_decides_anew_at_each_call(name: str, tmp_path: Path) -> None:
    text, cases = CASES[name]
    script = traced(module_of(text), cases[0])
    torch.jit.save(script, tmp_path / "model.pt")
    loaded = torch.jit.load(tmp_path / "model.pt")
    for case in cases:
        same(loaded(*tensors(case)), wanted(text, case))


def test_weights_inside_a_body_belong_to_the_module_under_their_names_and_are_trained() -> None:
    model = parser.parse_model(NESTED)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(f32(1.5, 1.25, 1.0), "w"))
    module = emitter.emit(graph.load(model))
    module(torch.tensor(3), torch.ones(3)).sum().backward()
    assert list(dict(module.named_parameters())) == ["w"]
    assert module.get_parameter("w").grad.abs().min() > 0


def test_a_file_with_a_loop_is_checked_at_other_sizes_and_keeps_it(tmp_path: Path) -> None:
    signature = Signature(
        (TensorSpec("h0", "float32", (2,)), TensorSpec("x", "float32", ("length", 2))),
        (TensorSpec("h", "float32", (2,)), TensorSpec("y", "float32", (2, "length"))),
    )
    torchscript.write(torchscript.Named(module_of(SCAN), signature), signature, tmp_path / "model.pt")
    case = CASES["scan"][1][2]
    same(torch.jit.load(tmp_path / "model.pt")(*tensors(case)), wanted(SCAN, case))


FITS_ONE = """<ir_version: 8, opset_import: ["" : 17]>
g (bool c, float[n] x) => (float[k] y) <int64[1] k = {2}> {
    y = If (c) <
      then_branch = t () => (float[m] a) { p = Reshape (x, k) a = Identity (p) },
      else_branch = e () => (float[l] b) { b = Neg (x) }>
}"""


def test_a_branch_that_cannot_run_on_the_example_fails_when_it_is_taken_and_is_never_the_other() -> None:
    script = traced(module_of(FITS_ONE), {"c": FALSE, "x": f32(1, 2, 3)})
    assert script(torch.tensor(False), torch.ones(5)).tolist() == [-1.0] * 5
    with pytest.raises(
        torch.jit.Error, match="then_branch: does not run on the example that the module is traced with"
    ):
        script(torch.tensor(True), torch.ones(2))


def test_a_taken_branch_that_cannot_run_is_refused_by_name() -> None:
    module = module_of(FITS_ONE)
    with pytest.raises(IsoformError) as caught:
        traced(module, {"c": TRUE, "x": f32(1, 2, 3)})
    assert "'If' (node " in caught.value.what
    assert "then_branch: does not run on the example that the module is traced with" in caught.value.what
