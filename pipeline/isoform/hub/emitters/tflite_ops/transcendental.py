"""Functions that TFLite has no operator for, composed so that they stay accurate near zero and far from it."""

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, compare, div, maximum, minimum, mul, select, sub, unary
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype
from isoform.hub.emitters.tflite_ops.moving import cast

_LARGEST_ERF = 3.832506856900711
"""From here on erf rounds to 1 in float32."""
_ERF_ABOVE = (
    2.2905065861350646e-4, 3.4082910107109506e-3, 5.0955695062380861e-2, 1.8520832239976145e-1, 1.128379143519084,
)  # fmt: skip
_ERF_BELOW = (-1.1791602954361697e-7, 2.3547966471313185e-5, 1.0179625278914885e-3, 1.4070470171167667e-2,
              1.1098505178285362e-1, 4.9746925110067538e-1, 1.0)  # fmt: skip
"""The rational approximation of erf in float32 that Eigen uses, highest power of x^2 first."""


@op("Erf")
def erf(call: Call) -> Tensor:
    """Return erf as x P(x^2) / Q(x^2) within the range where it is not 1 yet."""
    x = _float(call)
    x = minimum(call, maximum(call, x, -_LARGEST_ERF), _LARGEST_ERF)
    square = mul(call, x, x)
    above = mul(call, x, _polynomial(call, square, _ERF_ABOVE))
    return div(call, above, _polynomial(call, square, _ERF_BELOW))


@op("Softplus")
def softplus(call: Call) -> Tensor:
    return _softplus(call, _float(call))


@op("Mish", since=18)
def mish(call: Call) -> Tensor:
    x = _float(call)
    return mul(call, x, unary(call, Code.TANH, _softplus(call, x)))


@op("Tan", since=7)
def tan(call: Call) -> Tensor:
    x = _float(call)
    return div(call, unary(call, Code.SIN, x), unary(call, Code.COS, x))


@op("Atan", since=7)
def atan(call: Call) -> Tensor:
    x = _float(call)
    return call.make(Code.ATAN2, [x, _ones_like(call, x)], x.shape)


@op("Asin", since=7)
def asin(call: Call) -> Tensor:
    x = _float(call)
    return call.make(Code.ATAN2, [x, _leg(call, x)], x.shape)


@op("Acos", since=7)
def acos(call: Call) -> Tensor:
    x = _float(call)
    return call.make(Code.ATAN2, [_leg(call, x), x], x.shape)


@op("Sinh", since=9)
def sinh(call: Call) -> Tensor:
    """Return sinh by way of e = exp(-|x|) - 1: -e (2 + e) / (2 (1 + e)), which cancels nothing."""
    x = _float(call)
    below = unary(call, Code.ELU, unary(call, Code.NEG, unary(call, Code.ABS, x)))
    above = mul(call, mul(call, below, -0.5), add(call, below, 2.0))
    return mul(call, unary(call, Code.SIGN, x), div(call, above, add(call, below, 1.0)))


@op("Cosh", since=9)
def cosh(call: Call) -> Tensor:
    x = _float(call)
    both = add(call, unary(call, Code.EXP, x), unary(call, Code.EXP, unary(call, Code.NEG, x)))
    return mul(call, both, 0.5)


@op("Asinh", since=9)
def asinh(call: Call) -> Tensor:
    """Return sign(x) log1p(a + a^2 / (1 + sqrt(a^2 + 1))), a = |x|."""
    x = _float(call)
    size = unary(call, Code.ABS, x)
    square = mul(call, size, size)
    root = unary(call, Code.SQRT, add(call, square, 1.0))
    inner = add(call, size, div(call, square, add(call, root, 1.0)))
    return mul(call, unary(call, Code.SIGN, x), log1p(call, inner))


@op("Acosh", since=9)
def acosh(call: Call) -> Tensor:
    """Return log1p(t + sqrt(2 t + t^2)), t = x - 1."""
    above = sub(call, _float(call), 1.0)
    return log1p(call, add(call, above, unary(call, Code.SQRT, mul(call, above, add(call, above, 2.0)))))


@op("Atanh", since=9)
def atanh(call: Call) -> Tensor:
    """Return log1p(2 x / (1 - x)) / 2."""
    x = _float(call)
    return mul(call, log1p(call, div(call, mul(call, x, 2.0), sub(call, 1.0, x))), 0.5)


def log1p(call: Call, x: Tensor) -> Tensor:
    """Return log(1 + x) as x log(w) / (w - 1), w = 1 + x rounded: what rounding did to w cancels (W. Kahan)."""
    w = add(call, x, 1.0)
    below = sub(call, w, 1.0)
    exact = div(call, mul(call, x, unary(call, Code.LOG, w)), below)
    return select(call, compare(call, Code.EQUAL, below, 0.0), x, exact)


def _softplus(call: Call, x: Tensor) -> Tensor:
    """Return max(x, 0) + log1p(exp(-|x|)), which does not overflow."""
    small = unary(call, Code.EXP, unary(call, Code.NEG, unary(call, Code.ABS, x)))
    return add(call, unary(call, Code.RELU, x), log1p(call, small))


def _leg(call: Call, x: Tensor) -> Tensor:
    """Return sqrt(1 - x^2), as (1 - x)(1 + x) so that it is exact near 1."""
    return unary(call, Code.SQRT, mul(call, sub(call, 1.0, x), add(call, x, 1.0)))


def _ones_like(call: Call, x: Tensor) -> Tensor:
    """Return ones of the shape of x: the kernel of ATAN2 does not broadcast."""
    return cast(call, compare(call, Code.EQUAL, x, x), x.dtype)


def _polynomial(call: Call, x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Return the polynomial by Horner's rule, highest power first."""
    result = add(call, mul(call, x, coefficients[0]), coefficients[1])
    for number in coefficients[2:]:
        result = add(call, mul(call, result, x), number)
    return result


def _float(call: Call) -> Tensor:
    require_dtype(call, call[0], FLOATS)
    return call[0]
