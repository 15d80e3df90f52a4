"""Matrices of Fourier transforms against NumPy's, cut and filled, of real and complex numbers."""

import numpy as np
import pytest

from isoform.hub.fourier import transform

RNG = np.random.default_rng(0)


def parts(x: np.ndarray) -> np.ndarray:
    return np.stack([x.real, x.imag], -1)


@pytest.mark.parametrize(("size", "length"), [(5, 5), (6, 6), (6, 4), (5, 8)])
@pytest.mark.parametrize("is_inverse", [False, True])
def test_complex_numbers_are_transformed_as_numpy_does(size: int, length: int, is_inverse: bool) -> None:
    x = RNG.normal(size=size) + 1j * RNG.normal(size=size)
    found = np.einsum("np,npkd->kd", parts(x), transform(size, length, 2, is_inverse=is_inverse, is_onesided=False))
    wanted = (np.fft.ifft if is_inverse else np.fft.fft)(x, length)
    np.testing.assert_allclose(found, parts(wanted), atol=1e-13)


@pytest.mark.parametrize(("size", "length"), [(5, 5), (6, 6), (6, 4), (5, 8)])
def test_real_numbers_have_bins_up_to_the_middle_and_come_back_from_them(size: int, length: int) -> None:
    x = RNG.normal(size=size)
    bins = np.einsum("n,nkd->kd", x, transform(size, length, 1, is_inverse=False, is_onesided=True)[:, 0])
    np.testing.assert_allclose(bins, parts(np.fft.rfft(x, length)), atol=1e-13)
    back = np.einsum("np,npkd->kd", bins, transform(len(bins), length, 2, is_inverse=True, is_onesided=True))
    np.testing.assert_allclose(back[:, 0], np.fft.irfft(np.fft.rfft(x, length), length), atol=1e-13)
