"""A Reshape of what is stored: numpy does both ways, with sizes known and unknown."""

import itertools
import math

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoform.hub.passes.layout.order import inverse
from isoform.hub.passes.layout.reshape import axis_groups, reshaped


@st.composite
def two_shapes(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Two ways to write the same number of elements."""
    before = draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4))
    rest, after = math.prod(before), []
    while rest > 1:
        after.append(draw(st.sampled_from([size for size in range(1, rest + 1) if rest % size == 0])))
        rest //= after[-1]
        if len(after) == 3 and rest > 1:
            after.append(rest)
            break
    return before, after or [1]


def check(before: list, after: list, sizes: list[int], result: list[int]) -> int:
    """Return for how many orders of axes there is a Reshape of what is stored, after comparing each with numpy."""
    x, found = np.arange(math.prod(sizes)).reshape(sizes), 0
    for perm in itertools.permutations(range(len(sizes))):
        answer = reshaped(before, after, perm)
        if answer is not None:
            target, order = answer
            stored = x.transpose(inverse(perm))
            numbers = [stored.shape[axis] if size == 0 else size for axis, size in enumerate(target)]
            np.testing.assert_array_equal(stored.reshape(numbers).transpose(order), x.reshape(result))
            found += 1
    return found


@given(two_shapes())
def test_a_reshape_of_what_is_stored_holds_the_same_elements(shapes: tuple[list[int], list[int]]) -> None:
    before, after = shapes
    assert check(list(before), list(after), before, after) >= 1, "the order as it is always goes"


@given(two_shapes(), st.booleans())
def test_so_it_does_where_the_first_axis_is_only_known_when_it_runs(
    shapes: tuple[list[int], list[int]], is_named: bool
) -> None:
    before, after = shapes
    first = "n" if is_named and before[0] == after[0] else None
    symbolic = ir.Shape(["n", *before[1:]]), ir.Shape([first, *after[1:]])
    check(list(symbolic[0]), list(symbolic[1]), before, after)


@pytest.mark.parametrize(
    ("before", "after", "groups"),
    [
        (["n", 64, 7, 7], [None, 3136], [([0], [0]), ([1, 2, 3], [1])]),
        (["n", 197, 192], ["m", 197, 3, 64], [([0], [0]), ([1], [1]), ([2], [2, 3])]),
        (["n", 3, 197, 64], ["m", 197, 64], [([0, 1], [0]), ([2], [1]), ([3], [2])]),
        (["n", "length", 8], [None, 8], [([0, 1], [0]), ([2], [1])]),
        ([1, 6], [6, 1], [([0], []), ([1], [0, 1])]),
        (["a", "b"], ["c", "d"], [([0, 1], [0, 1])]),
    ],
)
def test_axes_are_grouped_as_far_as_sizes_tell(before: list, after: list, groups: list) -> None:
    assert axis_groups(list(ir.Shape(before)), list(ir.Shape(after))) == groups


def test_patches_of_an_image_become_a_sequence_without_a_transpose() -> None:
    """[n, channel, height, width] to [n, channel, place], stored with the channels last."""
    target, order = reshaped(list(ir.Shape(["n", 192, 14, 14])), list(ir.Shape([None, 192, 196])), (0, 3, 1, 2)) or (
        [],
        (),
    )
    assert target == [-1, 196, 192]
    assert order == (0, 2, 1)
