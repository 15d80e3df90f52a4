"""Altered copies of a tied weight: each way to alter one is found, and nothing that is merely like a parameter."""

import numpy as np
import pytest

from isoform.core.copies import altered_copies

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(50, 8)).astype(np.float32)


def found(copy: np.ndarray, **others: np.ndarray) -> list[str]:
    return altered_copies({"table": TABLE, **others}, {"right": TABLE, "copy": copy}, ["copy"])


def altered(places: object, value: object) -> np.ndarray:
    copy = TABLE.copy()
    copy[places] = value
    return copy


@pytest.mark.parametrize(
    ("copy", "how"),
    [
        (altered((3, 4), TABLE[3, 4] * np.float32(1.001)), "but for 1 of 400 elements"),
        (altered((0, slice(None)), 0), "but for 8 of 400 elements"),
        (altered(([0, 1],), TABLE[[1, 0]]), "but for 16 of 400 elements"),
        (TABLE.astype(np.float16).astype(np.float32), "rounded to float16"),
    ],
)
@pytest.mark.parametrize("shape", [None, (8, 50), (1, 400), (50, 1, 8)])
def test_an_altered_copy_is_found_whatever_its_shape(copy: np.ndarray, how: str, shape: tuple[int, ...] | None) -> None:
    there = copy if shape is None else copy.T if shape == (8, 50) else copy.reshape(shape)
    assert found(there) == [f"the tensor 'copy' is 'table' {how}"]


@pytest.mark.parametrize(
    "copy",
    [
        TABLE * np.float32(1 / np.sqrt(8)),  # a scale of attention, folded
        TABLE * np.float32(1 / np.sqrt(1 + 1e-5)),  # a normalisation that was never trained, folded
        -TABLE,
        RNG.normal(size=(50, 8)).astype(np.float32),
        TABLE[RNG.permutation(50)],
        np.zeros((50, 8), np.float32),
    ],
)
def test_what_is_computed_from_a_parameter_or_drawn_anew_is_no_copy(copy: np.ndarray) -> None:
    assert found(copy) == []


def test_vectors_of_few_values_have_copies_everywhere() -> None:
    ones, almost = np.ones(64, np.float32), np.ones(64, np.float32)
    almost[0] = 2
    assert altered_copies({"scale": ones}, {"other": almost}, ["other"]) == []
