"""Quantiles of the F distribution, through the regularised incomplete beta function.

DLMF 8.17.22 (the continued fraction, evaluated by Lentz's method) and 8.17.4 (the symmetry); the quantile by bisection.
"""

import math

_TINY = 1e-300
_TERMS = 1000


def f_quantile(p: float, n: int, m: int) -> float:
    """Return x with P(X <= x) = p, for X distributed as F(n, m)."""
    low, high = 0.0, 1.0  # of t = n x / (n x + m), which is distributed as Beta(n / 2, m / 2)
    while high - low > 1e-15:
        middle = (low + high) / 2
        if regularised_beta(middle, n / 2, m / 2) < p:
            low = middle
        else:
            high = middle
    t = (low + high) / 2
    return m * t / (n * (1 - t))


def regularised_beta(x: float, a: float, b: float) -> float:
    """Return I_x(a, b)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - regularised_beta(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x) - math.log(a)
    )
    return front * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for k in range(1, _TERMS):
        even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k))
        odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1))
        step = 1.0
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            step = c * d
            value *= step
        if abs(step - 1) < 1e-15:
            return value
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
