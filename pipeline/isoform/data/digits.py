"""The handwritten digits that come with scikit-learn: 1,797 grey images of 8 by 8 pixels in ten classes.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
"""

import numpy as np

from isoform.data.dataset import RawData, Subset
from isoform.errors import MissingDependency

TEST_SAMPLES = 360
SPLIT_SEED = 0


def read() -> RawData:
    """Return the digits, shuffled once and for all and split 1,437 to 360.

    Raises:
        MissingDependency: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise MissingDependency.of("scikit-learn", "The data set 'digits'", "train") from None
    bundled = load_digits()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(bundled.target))
    images = bundled.images[order][..., np.newaxis].astype(np.uint8)  # [n, 8, 8, 1], values 0 to 16
    labels = bundled.target[order].astype(np.int64)
    return RawData(
        "digits",
        Subset(images[:-TEST_SAMPLES], labels[:-TEST_SAMPLES]),
        Subset(images[-TEST_SAMPLES:], labels[-TEST_SAMPLES:]),
        "Handwritten digits bundled with scikit-learn, 8x8 pixels, resized by bilinear interpolation.",
        scale=16.0,
    )
