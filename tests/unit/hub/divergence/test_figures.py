"""R of one tensor: an overflow of the reference in float32 allows nothing, one of the tensor itself is no number."""

import math

import numpy as np

from isoform.hub.divergence.figures import Figures

EXACT = np.array([1.0, 2.0, 3.0, 4.0])


def test_a_reference_that_overflows_in_float32_does_not_excuse_what_differs() -> None:
    figures = Figures()
    figures.add(EXACT, EXACT + np.array([0, 0, 0, 0.5]), np.array([1.0, -np.inf, 3.0, 4.0]), EXACT)
    assert figures.ratio > 1e5


def test_a_tensor_that_is_not_finite_where_the_reference_is_differs_without_limit() -> None:
    figures = Figures()
    figures.add(EXACT, np.array([1.0, np.nan, 3.0, 4.0]), EXACT, EXACT)
    assert math.isinf(figures.ratio)
