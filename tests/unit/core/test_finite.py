"""Weights that are no numbers are named; masks, which are full of infinities, are not."""

import numpy as np
import pytest

from isoform.core.finite import nonfinite

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
MASK = np.triu(np.full((3, 3), -np.inf, np.float32), 1)


def changed(value: float, dtype: str = "float32") -> np.ndarray:
    found = WEIGHT.astype(dtype)
    found[1, 1] = value
    return found


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_weight_with_one_wrong_number_is_named(value: float, dtype: str) -> None:
    assert nonfinite([("good", WEIGHT), ("bad", changed(value, dtype)), ("count", np.arange(3))]) == ["bad"]


@pytest.mark.parametrize("mask", [MASK, np.float32(-np.inf), np.full(3, np.inf, np.float32)])
def test_a_mask_and_a_filling_may_hold_infinities(mask: np.ndarray) -> None:
    assert nonfinite([("mask", np.asarray(mask))]) == []


def test_nan_in_a_mask_is_named() -> None:
    assert nonfinite([("mask", np.where(np.isinf(MASK), np.nan, MASK))]) == ["mask"]


def test_what_is_looked_at_in_pieces_is_judged_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoform.core.finite._CHUNK", 2)
    assert nonfinite([("bad", changed(np.inf)), ("mask", MASK)]) == ["bad"]
