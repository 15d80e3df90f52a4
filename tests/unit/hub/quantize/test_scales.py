"""Scales and zero points by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoform.hub.quantize import scales


def test_a_range_of_255_steps_has_a_step_of_one_and_its_lowest_integer_at_its_lowest_number() -> None:
    found = scales.of_range(-5.0, 250.0)
    assert (found.step, found.zero) == (1.0, -123)


def test_a_range_above_zero_reaches_down_to_it() -> None:
    found = scales.of_range(10.0, 25.5)
    assert found.zero == -128
    assert found.step == pytest.approx(0.1)


def test_a_symmetric_range_has_its_zero_at_zero() -> None:
    found = scales.of_range(-12.7, 3.0, is_symmetric=True)
    assert (found.zero, found.step) == (0, np.float32(12.7 / 127))


def test_the_highest_integer_stands_for_no_more_than_where_a_clip_cuts_off() -> None:
    for top in np.linspace(0.5, 7, 200):
        found = scales.of_range(0.0, float(top), ceiling=float(np.float32(top)))
        assert np.float32(127 - found.zero) * np.float32(found.step) <= np.float32(top)


def test_a_tensor_of_zeros_has_a_scale() -> None:
    assert scales.of_range(0.0, 0.0).step > 0
    assert (scales.of_weight(np.zeros((2, 3), np.float32), 0).scale > 0).all()


@given(st.floats(-1e4, 0), st.floats(1e-3, 1e4), st.floats(0, 1))
def test_a_number_of_the_range_is_at_most_half_a_step_from_its_integer(low: float, high: float, part: float) -> None:
    found = scales.of_range(low, high)
    number = low + part * (high - low)
    back = found.step * (found.integer(number) - found.zero)
    assert abs(back - number) <= found.step * 0.501 + 1e-6 * abs(number)
    assert found.step * (found.integer(0.0) - found.zero) == 0


def test_each_channel_of_a_weight_has_the_scale_of_its_own_largest() -> None:
    weight = np.array([[0.5, -1.27], [100.0, 3.0]], np.float32)
    found = scales.of_weight(weight, 0)
    np.testing.assert_allclose(found.scale, [0.01, 100 / 127], rtol=1e-6)
    np.testing.assert_array_equal(scales.integers(weight, found), [[50, -127], [127, 4]])


def test_a_channel_far_out_costs_the_others_nothing() -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((8, 64)).astype(np.float32)
    weight[3] *= 1e4
    errors = {}
    for axis in (0, None):
        found = scales.of_weight(weight, axis)
        scale = found.scale.reshape(-1, 1) if axis == 0 else found.scale
        errors[axis] = np.abs(scales.integers(weight, found) * scale - weight)[[0, 1, 2, 4, 5, 6, 7]].max()
    assert errors[0] < 0.02
    assert errors[None] > 1


def test_the_scale_of_a_weight_grows_until_its_bias_fits() -> None:
    weight, bias = np.array([[1e-9, 0], [1.0, 1.0]], np.float32), np.array([50.0, 1.0], np.float32)
    found = scales.of_weight(weight, 0, scales.smallest_for(bias, 1e-3))
    stored, steps = scales.bias_integers(bias, [np.float32(1e-3), found.scale])
    np.testing.assert_allclose(stored * steps.astype(np.float64), bias, rtol=1e-4)
    assert found.scale[1] == np.float32(1 / 127)


def test_large_weights_are_rounded_piece_by_piece_as_in_one() -> None:
    weight = np.random.default_rng(1).standard_normal((3000, 700)).astype(np.float32)
    found = scales.of_weight(weight, 1)
    np.testing.assert_array_equal(scales.integers(weight, found), np.clip(np.round(weight / found.scale), -127, 127))
