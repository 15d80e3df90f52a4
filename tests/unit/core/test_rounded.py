"""Gate 1 behind a cast: exactly rounded weights are found, and one that is not is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isoform.core.matching import match
from isoform.core.rounded import rounded, through_rounding

SOURCE = {"w": np.random.default_rng(0).standard_normal((20, 30)).astype(np.float32), "b": np.float32(np.arange(30))}
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(arrays(np.float32, 50, elements=FINITE))
def test_bfloat16_is_the_nearer_of_both_neighbours_and_the_even_one_in_the_middle(values: np.ndarray) -> None:
    below = (values.view(np.uint32) & 0xFFFF0000).view(np.float32)
    above = (below.view(np.uint32) + np.uint32(0x10000)).view(np.float32)
    for value, found, low, high in zip(values, rounded(values, "bfloat16"), below, above, strict=True):
        if not np.isfinite(high):
            continue
        low_distance, high_distance = abs(float(value) - float(low)), abs(float(high) - float(value))
        is_even = not int(low.view(np.uint32)) & 0x10000
        assert found == (low if low_distance < high_distance or (low_distance == high_distance and is_even) else high)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_rounded_and_transposed_weights_are_found_and_said_to_be_rounded(dtype: str) -> None:
    export = {"half": rounded(SOURCE["w"], dtype).T.copy(), "b": SOURCE["b"]}
    found, strange = through_rounding(match(SOURCE, SOURCE), SOURCE, export, dtype)
    assert [(entry.parameter, entry.how, entry.tensors) for entry in found] == [
        ("w", f"rounded to {dtype}", ("half",)), ("b", "exact", ("b",)),
    ]  # fmt: skip
    assert not strange


def test_one_altered_value_is_named_twice() -> None:
    altered = SOURCE["w"].astype(np.float16)
    altered[3, 4] = np.nextafter(altered[3, 4], np.float16(9))
    found, strange = through_rounding(match(SOURCE, SOURCE), SOURCE, {"w": altered, "b": SOURCE["b"]}, "float16")
    assert [entry.how for entry in found] == ["unexplained", "exact"]
    assert strange == ["the tensor 'w' is none of the float32 file, as it is or rounded to float16"]


def test_a_weight_rounded_to_less_than_declared_is_not_found() -> None:
    export = {"w": rounded(SOURCE["w"], "bfloat16"), "b": SOURCE["b"]}
    found, _ = through_rounding(match(SOURCE, SOURCE), SOURCE, export, "float16")
    assert found[0].how == "unexplained"


def test_an_altered_second_copy_is_named() -> None:
    copy = SOURCE["w"].astype(np.float16)
    other = copy.copy()
    other[0, 0] += 1
    _, strange = through_rounding(match(SOURCE, SOURCE), SOURCE, {"w": copy, "v": other, "b": SOURCE["b"]}, "float16")
    assert len(strange) == 1
