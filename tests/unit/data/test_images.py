"""Images in the size and layout of an input: by hand, against SciPy, and the refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoform.core.signature import TensorSpec
from isoform.data.images import channels_wanted, prepare_images, resize, with_channels
from isoform.errors import UsageError


def spec(*shape: int | str, layout: str | None = None) -> TensorSpec:
    return TensorSpec("image", "float32", shape, layout)


def test_two_pixels_become_four_with_quarters_between_their_centres() -> None:
    row = np.array([0.0, 1.0], np.float32).reshape(1, 1, 2, 1)
    assert resize(row, 1, 4).ravel().tolist() == [0.0, 0.25, 0.75, 1.0]


def test_halving_takes_the_mean_of_neighbours() -> None:
    row = np.array([0.0, 1.0, 2.0, 5.0], np.float32).reshape(1, 1, 4, 1)
    assert resize(row, 1, 2).ravel().tolist() == [0.5, 3.5]


def test_enlarging_agrees_with_scipy() -> None:
    from scipy import ndimage

    images = np.random.default_rng(1).random((2, 8, 8, 3)).astype(np.float32)
    expected = ndimage.zoom(images, (1, 3.5, 8, 1), order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(resize(images, 28, 64), expected, atol=1e-6)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 20), st.integers(1, 20))
def test_a_flat_image_stays_flat_at_any_size(height: int, width: int, new_height: int, new_width: int) -> None:
    resized = resize(np.full((1, height, width, 1), 0.5, np.float32), new_height, new_width)
    assert resized.shape == (1, new_height, new_width, 1)
    np.testing.assert_allclose(resized, 0.5, rtol=1e-6)


def test_an_image_of_the_right_size_is_not_touched() -> None:
    images = np.random.default_rng(2).random((1, 5, 5, 1)).astype(np.float32)
    assert resize(images, 5, 5) is images


def test_grey_is_repeated_and_colour_is_averaged() -> None:
    grey = np.array([0.25, 0.75]).reshape(1, 1, 2, 1)
    assert with_channels(grey, 3).tolist() == [[[[0.25] * 3, [0.75] * 3]]]
    colour = np.array([0.0, 0.5, 1.0]).reshape(1, 1, 1, 3)
    assert with_channels(colour, 1).tolist() == [[[[0.5]]]]


def test_the_same_image_comes_flat_channels_first_and_channels_last() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    first = prepare_images(spec("batch", 3, 2, 2, layout="NCHW"), 11.0)([pixels])
    last = prepare_images(spec("batch", 2, 2, 3, layout="NHWC"), 11.0)([pixels])
    flat = prepare_images(spec("batch", 4), 11.0)([pixels])
    assert first.dtype == last.dtype == flat.dtype == np.float32
    np.testing.assert_allclose(first[0, 1], [[1 / 11, 4 / 11], [7 / 11, 10 / 11]])
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), last)
    np.testing.assert_allclose(flat, [[1 / 11, 4 / 11, 7 / 11, 10 / 11]])
    assert first.flags.c_contiguous


@pytest.mark.parametrize(
    "shape",
    [spec("batch", 10), spec("batch"), spec("batch", "side", "side"), spec("batch", 3, "h", 8, layout="NCHW")],
    ids=str,
)
def test_an_input_that_is_no_image_of_fixed_size_is_refused(shape: TensorSpec) -> None:
    with pytest.raises(UsageError) as caught:
        prepare_images(shape, 1.0)
    assert caught.value.what == f"The input {shape} is not an image that the bundled data fits."
    assert caught.value.hint == (
        'Declare [batch, side * side], or four dimensions with layout = "NCHW" or "NHWC" and fixed sizes.'
    )


def test_channels_are_read_from_the_layout() -> None:
    assert channels_wanted(spec("batch", 784)) == 1
    assert channels_wanted(spec("batch", 64, 64, 3, layout="NHWC")) == 3
