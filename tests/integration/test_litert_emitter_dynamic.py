"""What TFLite has no operator for and the emitter composes, at sizes known only when it runs, against ONNX Runtime."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnx.parser
import pytest

from integration.litert_runner import assert_same, parsed

X = np.random.default_rng(3).normal(size=(3, 4, 5)).astype(np.float32)
IMAGE = np.random.default_rng(5).normal(size=(3, 8, 4, 6)).astype(np.float32)
PLACES = np.random.default_rng(4).integers(-4, 4, (2, 3, 5))
LARGE = np.array([2**62 + 3, -(2**53) - 1, 7, -7, 10**18 + 9, -(2**63) + 1])
DIVISORS = np.array([3, 2**31 + 11, 2, 2, -999999937, 1])

GRAPHS: dict[str, tuple[str, Sequence[np.ndarray]]] = {
    "elements gathered": (
        "(float[a,b,c] x, int64[d,e,c] i) => (float[d,e,c] y) { y = GatherElements<axis: int = 1>(x, i) }",
        [X, PLACES],
    ),
    "places as vectors in batches": (
        "(float[a,b,c] x, int64[a,d,1] i) => (float[a,d,c] y) { y = GatherND<batch_dims: int = 1>(x, i) }",
        [X, np.array([[[0], [-1]], [[2], [1]], [[-4], [3]]])],
    ),
    "places counted from the end of a dynamic axis": (
        "(float[a,b,c] x, int64[d] i) => (float[a,d,c] y) { y = Gather<axis: int = 1>(x, i) }",
        [X, np.array([-1, 0, -4, 3])],
    ),
    "slices scattered": (
        "(float[a,b,c] x, int64[d,2] i, float[d,c] u) => (float[a,b,c] y) { y = ScatterND(x, i, u) }",
        [X, np.array([[0, 1], [-1, -2]]), X[0, :2]],
    ),
    "elements scattered": (
        "(float[a,b,c] x, int64[d,e,c] i, float[d,e,c] u) => (float[a,b,c] y)"
        " { y = ScatterElements<axis: int = 1>(x, i, u) }",
        [X, np.array([[[0, 1, 2, 3, -4]]]), np.full((1, 1, 5), 9, np.float32)],
    ),
    "elements reduced along a dynamic axis": (
        "(float[a] x, int64[b] i, float[b] u) => (float[a] y)"
        " { y = ScatterElements<axis: int = 0, reduction: string = \"max\">(x, i, u) }",
        [X[0, 0], np.array([0, 3, 0, -1]), X[1, :, 0]],
    ),
    "slices reduced at places of a dynamic axis": (
        "(float[a,4] x, int64[b,1] i, float[b,4] u) => (float[a,4] y)"
        " { y = ScatterND<reduction: string = \"mul\">(x, i, u) }",
        [X[:, :, 0], np.array([[2], [0], [2]]), X[:, :, 1]],
    ),
    "ones on a diagonal of dynamic sizes": (
        "(float[a,b] x) => (float[a,b] y, int64[a,b] z) { y = EyeLike<k: int = 1>(x)  z = EyeLike<dtype: int = 7>(x) }",
        [X[0]],
    ),
    "blocks of an image of dynamic sizes, columns first": (
        "(float[n,8,h,w] x) => (float[n,2,i,j] y) { y = DepthToSpace<blocksize: int = 2, mode: string = \"CRD\">(x) }",
        [IMAGE],
    ),
    "blocks of an image of one dynamic size, depth first": (
        "(float[n,8,h,6] x) => (float[n,2,i,12] y) { y = DepthToSpace<blocksize: int = 2>(x) }",
        [IMAGE],
    ),
    "blocks of channels of an image of dynamic sizes": (
        "(float[n,8,h,w] x) => (float[n,32,i,j] y) { y = SpaceToDepth<blocksize: int = 2>(x) }",
        [IMAGE],
    ),
    "spectra of a signal between dynamic axes": (
        "(float[a,b,5,1] x) => (float[a,b,3,2] y)"
        " { n = Constant<value: tensor = int64 {5}>()  y = DFT<axis: int = 2, onesided: int = 1>(x, n) }",
        [X[..., None]],
    ),
    "spectra of the frames of a signal of dynamic length": (
        "(float[a,n,1] x, float[6] w) => (float[a,m,4,2] y)"
        " { s = Constant<value: tensor = int64 {3}>()  l = Constant<value: tensor = int64 {6}>()"
        " y = STFT(x, s, w, l) }",
        [IMAGE.reshape(3, -1, 1)[:, :50], np.hamming(6).astype(np.float32)],
    ),
    "quotients of 64 bits": ("(int64[n] x, int64[n] z) => (int64[n] y) { y = Div(x, z) }", [LARGE, DIVISORS]),
    "sizes of 64 bits": ("(int64[n] x) => (int64[n] y) { y = Abs(x) }", [LARGE]),
    "remainders of 64 bits": (
        "(int64[n] x, int64[n] z) => (int64[n] y) { y = Mod<fmod: int = 1>(x, z) }",
        [LARGE, DIVISORS],
    ),
    "whole powers": (
        "(int64[n] x, int64[n] z) => (int64[n] y) { y = Pow(x, z) }",
        [np.array([3, -2, 1, -1, 0, 10, 2]), np.array([4, 5, 70, 71, 0, 15, 62])],
    ),
    "a part by computed axes": (
        "(float[a,b,c] x, int64[2] s, int64[2] e, int64[2] i, int64[2] t) => (float[d,f,g] y)"
        " { y = Slice(x, s, e, i, t) }",
        [X, np.array([-1, 1]), np.array([-(2**62), 2**62]), np.array([2, 0]), np.array([-2, 1])],
    ),
    "borders of computed widths": (
        "(float[a,b,c] x, int64[6] p) => (float[d,e,f] y) { y = Pad<mode = \"reflect\">(x, p) }",
        [X, np.array([1, 0, 2, 0, 3, 1])],
    ),
    "borders that cut": (
        "(float[a,b,c] x, int64[4] p, float z, int64[2] i) => (float[d,e,f] y) { y = Pad(x, p, z, i) }",
        [X, np.array([-1, 2, 1, -2]), np.array(7, np.float32), np.array([-1, 0])],
    ),
    "axes put in": (
        "(float[a,b,c] x, int64[2] i) => (float[d,e,f,g,h] y) { y = Unsqueeze(x, i) }",
        [X, np.array([-1, 1])],
    ),
    "axes taken out": (
        "(float[a,b,c,d] x, int64[2] i) => (float[e,f] y) { y = Squeeze(x, i) }",
        [X[:, :1, :, None][:, :, :1], np.array([1, -1])],
    ),
    "a triangle of a computed diagonal": (
        "(float[a,b,c] x, int64 k) => (float[a,b,c] y) { y = Trilu<upper: int = 0>(x, k) }",
        [X, np.array(-1)],
    ),
    "sums over computed axes": (
        "(float[a,b,c] x, int64[2] i) => (float[d] y) { y = ReduceSum<keepdims: int = 0>(x, i) }",
        [X, np.array([2, 0])],
    ),
    "a sum as Einstein wrote it": (
        "(float[a,b,c] x, float[a,d,c] z) => (float[d,a,b] y) { y = Einsum<equation = \"nqc,nkc->knq\">(x, z) }",
        [X, X[:, :2]],
    ),
    "a sum with an ellipsis": (
        "(float[a,b,c] x, float[c,d] z) => (float[a,b,d] y) { y = Einsum<equation = \"...c,cd->...d\">(x, z) }",
        [X, X[0].T.copy()],
    ),
    "layers whose padding follows the size of an image": (
        "(float[a,2,h,w] x, float[2,2,2,3] k, float[2,1,3,3] d) => (float[a,2,i,j] y) {"
        ' b = Conv<auto_pad = "SAME_UPPER", strides = [2, 2]>(x, k)'
        ' c = MaxPool<auto_pad = "SAME_UPPER", kernel_shape = [2, 3], strides = [1, 2]>(b)'
        ' p = AveragePool<auto_pad = "SAME_UPPER", kernel_shape = [3, 2], strides = [2, 2]>(c)'
        ' y = Conv<auto_pad = "SAME_UPPER", strides = [2, 2], group = 2>(p, d) }',
        [np.sin(np.arange(1260, dtype=np.float32)).reshape(2, 2, 15, 21), X.reshape(-1)[:24].reshape(2, 2, 2, 3),
         np.cos(np.arange(18, dtype=np.float32)).reshape(2, 1, 3, 3)],
    ),
    "volumes grown by transposed kernels": (
        "(float[a,2,d,h,w] x, float[2,3,2,3,2] k, float[3] b) => (float[a,3,i,j,l] y)"
        " <float[3,1,1,2,1] g = {1, -2, 0.5, 3, 0.25, 1}> {"
        " c = ConvTranspose<strides = [2, 1, 3], pads = [1, 0, 1, 0, 1, 0], output_padding = [1, 0, 2]>(x, k, b)"
        " y = ConvTranspose<group = 3, dilations = [1, 2, 1]>(c, g) }",
        [np.sin(np.arange(240, dtype=np.float32)).reshape(2, 2, 3, 4, 5),
         np.cos(np.arange(72, dtype=np.float32)).reshape(2, 3, 2, 3, 2), np.array([1, -2, 3], np.float32)],
    ),
    "an image brought to computed sizes": (
        "(float[a,2,h,w] x, int64[4] s) => (float[a,2,i,j] y)"
        ' { y = Resize<mode = "linear">(x, , , s) }',
        [np.arange(48, dtype=np.float32).reshape(2, 2, 3, 4), np.array([2, 2, 5, 3])],
    ),
    "an image brought to computed sizes by cubic curves": (
        "(float[a,2,h,w] x, int64[4] s) => (float[a,2,i,j] y)"
        ' { y = Resize<mode = "cubic", exclude_outside: int = 1>(x, , , s) }',
        [np.sin(np.arange(48, dtype=np.float32)).reshape(2, 2, 3, 4), np.array([2, 2, 5, 3])],
    ),
    "an image whose sizes are known later, twice as large by cubic curves": (
        "(float[a,2,h,w] x) => (float[a,2,i,j] y) <float[4] s = {1, 1, 2, 2}>"
        ' { y = Resize<mode = "cubic", coordinate_transformation_mode = "align_corners">(x, , s) }',
        [np.sin(np.arange(48, dtype=np.float32)).reshape(2, 2, 3, 4)],
    ),
    "an image read at places of a grid": (
        "(float[a,2,h,w] x, float[a,i,j,2] g) => (float[a,2,i,j] y)"
        ' { y = GridSample<mode = "bicubic", padding_mode = "reflection">(x, g) }',
        [np.arange(48, dtype=np.float32).reshape(2, 2, 3, 4), np.tanh(X[:2, :3, :4]).reshape(2, 3, 2, 2) * 1.4],
    ),
    "numbers quantised and back": (
        "(float[a,b,c] x, float[c] s, int8[c] z) => (float[a,b,c] y)"
        " { q = QuantizeLinear<axis: int = 2>(x, s, z)  y = DequantizeLinear<axis: int = 2>(q, s, z) }",
        [X, np.array([0.01, 0.02, 0.5, 1, 0.1], np.float32), np.array([0, 3, -7, 0, 120], np.int8)],
    ),
    "elements whose flag is set": (
        "(float[a,b,c] x, bool[b] f) => (float[a,d,c] y) { y = Compress<axis: int = 1>(x, f) }",
        [X, np.array([True, False, True, True])],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_what_is_composed_is_what_onnx_runtime_computes(name: str) -> None:
    text, arrays = GRAPHS[name]
    assert_same(parsed(text), [np.asarray(array) for array in arrays])


def test_a_masked_row_is_infinite_without_xnnpack_too() -> None:
    """LiteRT's own ADD ends at the largest number, and a softmax of such a row would be a mean instead of NaN."""
    text = (
        "(float[a,b] x, bool[a,b] m) => (float[a,b] y) <float o = {0}, float n = {-1}>"
        " { f = Where(m, o, n)  s = Add(x, f)  w = Softmax(s)  e = IsNaN(w)  y = Where(e, o, w) }"
    )
    proto = parsed(text)
    proto.graph.initializer[1].CopyFrom(onnx.numpy_helper.from_array(np.array(-np.inf, np.float32), "n"))
    assert_same(proto, [X[0], np.array([[1, 0, 1, 1, 0], [0] * 5, [1] * 5, [0, 0, 0, 0, 1]], bool)])


def test_float16_is_computed_in_float32_and_rounded_at_the_borders() -> None:
    text = (
        "(float16[a,b,c] x, float16[c,d] z) => (float16[a,b,d] y, float16[a,b,c] h)"
        " { p = MatMul(x, z)  y = Softmax(p)  f = Cast<to: int = 1>(x)  g = Cast<to: int = 10>(f)  h = Relu(g) }"
    )
    assert_same(parsed(text), [X.astype(np.float16), X[0].T.astype(np.float16)], tolerance=2e-3)
