"""Sequences are lists: what ONNX Runtime computes; what depends on a length is refused when traced, never frozen."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import parser

from isoform.errors import IsoformError
from isoform.hub import graph
from isoform.hub.emitters import torch as emitter

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning"),
]
HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
PARTS = (
    HEAD
    + """g (float[6,k] x) => (float[m,k] y) <int64[3] sizes = {1, 3, 2}, int64 last = {-1}, int64 first = {0}> {
    s = SplitToSequence <axis = 0> (x, sizes)
    a = SequenceAt (s, last)
    t = SequenceInsert (s, a, first)
    u = SequenceErase (t)
    y = ConcatFromSequence <axis = 0> (u)
}"""
)
COUNT = HEAD + "g (float[n,k] x) => (int64 y) { s = SplitToSequence (x) y = SequenceLength (s) }"


def module_of(text: str) -> torch.nn.Module:
    return emitter.emit(graph.load(parser.parse_model(text)))


def wanted(text: str, x: np.ndarray) -> np.ndarray:
    model = parser.parse_model(text).SerializeToString()
    return np.asarray(onnxruntime.InferenceSession(model).run(None, {"x": x})[0])


@pytest.mark.parametrize("is_traced", [False, True])
def test_parts_are_taken_put_in_and_taken_out(is_traced: bool) -> None:
    module = module_of(PARTS)
    run = torch.jit.trace(module, torch.rand(6, 2)) if is_traced else module
    x = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
    np.testing.assert_array_equal(run(torch.from_numpy(x)).numpy(), wanted(PARTS, x))


def test_a_length_is_counted_by_the_module_and_refused_when_traced() -> None:
    module = module_of(COUNT)
    x = np.zeros((4, 2), np.float32)
    assert module(torch.from_numpy(x)) == wanted(COUNT, x)
    with pytest.raises(IsoformError, match="'SequenceLength': TorchScript would freeze the length of a sequence"):
        torch.jit.trace(module, torch.zeros(4, 2))
