"""The axes on the outside: signatures and cases move together, and nothing moves that does not name its axes."""

import numpy as np
import pytest

from isoform.core.cases import Cases
from isoform.core.layout import move_cases, outside
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import UsageError

BEFORE = Signature(
    (TensorSpec.parse("image:float32[n,3,4,5]:NCHW"), TensorSpec.parse("scale:float32[n]")),
    (TensorSpec.parse("mask:float32[n,1,4,5]:NCHW"),),
)


def test_only_tensors_with_a_layout_move() -> None:
    after = outside(BEFORE, "nhwc")
    assert [spec.shape for spec in (*after.inputs, *after.outputs)] == [("n", 4, 5, 3), ("n",), ("n", 4, 5, 1)]
    assert outside(after, "nchw") == BEFORE
    assert outside(BEFORE, "keep") is BEFORE


def test_cases_keep_their_values_under_the_moved_axes() -> None:
    image = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    mask = np.arange(2 * 4 * 5, dtype=np.float64).reshape(2, 1, 4, 5)
    cases = Cases(("given",), ({"image": image, "scale": np.ones(2)},), ({"mask": mask},), ({"mask": mask},))
    moved = move_cases(cases, BEFORE, outside(BEFORE, "nhwc"))
    assert (moved.inputs[0]["image"][1, 2, 3] == image[1, :, 2, 3]).all()
    assert moved.inputs[0]["scale"].shape == (2,)
    assert moved.reference is not None
    assert moved.reference[0]["mask"].shape == (2, 4, 5, 1)


def test_a_model_whose_axes_are_not_known_is_a_usage_error() -> None:
    unknown = Signature((TensorSpec.parse("x:float32[n,3,4,5]"),), ())
    with pytest.raises(UsageError, match="which of its axes are channels"):
        outside(unknown, "nhwc")
    with pytest.raises(UsageError, match="no layout 'chwn'"):
        outside(BEFORE, "chwn")
