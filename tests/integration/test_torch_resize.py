"""Resize in its modes, traced at one size and run at another; and uint64, in which PyTorch does not compute."""

import itertools

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.errors import IsoformError
from isoform.hub import graph
from isoform.hub.emitters import torch as emitter

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning"),
]
HEAD = '<ir_version: 8, opset_import: ["" : 18]>'
COORDINATES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]
IMAGE = np.random.default_rng(3).standard_normal((2, 3, 7, 5)).astype(np.float32)
UINT64 = np.array([0, 1, 5, 2**63 - 1, 2**63, 2**63 + 7, 2**64 - 1], np.uint64)


def resize(attributes: str, scales: str) -> str:
    return HEAD + (
        f"g (float[n,c,h,w] x) => (float[n,c,p,q] y) <float[4] scales = {{1, 1, {scales}}}> "
        f"{{ y = Resize <{attributes}> (x, , scales) }}"
    )


def module_of(text: str) -> torch.nn.Module:
    return emitter.emit(graph.load(parser.parse_model(text)))


@pytest.mark.parametrize("scales", ["2, 3", "0.6, 0.4", "1.7, 0.8"])
def test_every_mode_computes_what_onnx_runtime_does_at_a_size_that_was_not_traced(scales: str) -> None:
    for mode, coordinates in itertools.product(["nearest", "linear", "cubic"], COORDINATES):
        attributes = f'mode="{mode}", coordinate_transformation_mode="{coordinates}", nearest_mode="floor"'
        text = resize(attributes, scales)
        model = parser.parse_model(text).SerializeToString()
        script = torch.jit.trace(module_of(text), torch.rand(1, 3, 5, 6))
        wanted = onnxruntime.InferenceSession(model).run(None, {"x": IMAGE})[0]
        found = script(torch.from_numpy(IMAGE)).numpy()
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5, err_msg=attributes)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_antialiasing_is_what_onnx_defines(mode: str) -> None:
    text = resize(f'mode="{mode}", antialias=1', "0.6, 0.4")
    wanted = ReferenceEvaluator(parser.parse_model(text)).run(None, {"x": IMAGE[:1, :1]})[0]
    found = module_of(text)(torch.from_numpy(IMAGE[:1, :1])).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("operator", ["Less", "GreaterOrEqual", "Max", "Min", "Div", "Mod"])
def test_uint64_is_right_beyond_the_range_of_int64(operator: str) -> None:
    kind = "bool" if operator in ("Less", "GreaterOrEqual") else "uint64"
    module = module_of(HEAD + f"g (uint64[n] a, uint64[n] b) => ({kind}[n] y) {{ y = {operator} (a, b) }}")
    a, b = (array.ravel() for array in np.meshgrid(UINT64, UINT64[1:]))
    expected = {"Less": np.less, "GreaterOrEqual": np.greater_equal, "Max": np.maximum, "Min": np.minimum,
                "Div": np.floor_divide, "Mod": np.remainder}[operator](a, b)  # fmt: skip
    np.testing.assert_array_equal(module(torch.from_numpy(a), torch.from_numpy(b)).numpy(), expected)


def test_uint64_is_shifted_to_the_right_with_zeros() -> None:
    module = module_of(
        HEAD + 'g (uint64[n] a, uint64[n] b) => (uint64[n] y) { y = BitShift <direction="RIGHT"> (a, b) }'
    )
    count = np.array([0, 1, 3, 63, 63, 1, 2], np.uint64)
    found = module(torch.from_numpy(UINT64), torch.from_numpy(count)).numpy()
    np.testing.assert_array_equal(found, np.right_shift(UINT64, count))


def test_a_mean_of_uint64_is_refused() -> None:
    module = module_of(HEAD + "g (uint64[n] x) => (uint64[m] y) { y = ReduceMean (x) }")
    with pytest.raises(IsoformError, match="ReduceMean of uint64 has no PyTorch form here"):
        module(torch.from_numpy(UINT64))
