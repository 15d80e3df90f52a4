"""A size computed by names is the number that arithmetic on the numbers gives, at any sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoform.hub.passes.symbolic.size import (
    Size,
    add,
    clip,
    constant,
    divide,
    multiply,
    named,
    remainder,
    smaller,
    subtract,
)

N, M = named("n"), named("m")
OPERATIONS = {
    add: lambda x, y: x + y,
    subtract: lambda x, y: x - y,
    multiply: lambda x, y: x * y,
    divide: lambda x, y: int(x / y),
    remainder: lambda x, y: x % y,
    smaller: min,
}
LEAVES = st.sampled_from([N, M]) | st.integers(-3, 12).map(constant)
STEPS = st.lists(st.tuples(st.sampled_from(list(OPERATIONS)), st.integers(0, 20), st.integers(0, 20)), max_size=8)


@given(leaves=st.lists(LEAVES, min_size=2, max_size=4), steps=STEPS, n=st.integers(0, 9), m=st.integers(0, 9))
def test_every_operation_agrees_with_numbers(
    leaves: list[Size], steps: list[tuple[object, int, int]], n: int, m: int
) -> None:
    sizes, pool = {"n": n, "m": m}, list(leaves)
    numbers = [leaf.at(sizes) for leaf in leaves]
    for operation, first, second in steps:
        left, right = first % len(pool), second % len(pool)
        if operation in (divide, remainder) and numbers[right] == 0:
            return  # no graph gets further either
        found = operation(pool[left], pool[right])
        if found is None:
            continue
        wanted = OPERATIONS[operation](numbers[left], numbers[right])
        assert found.at(sizes) == wanted
        assert found.number in (None, wanted)
        assert wanted >= 0 or not found.is_natural
        assert wanted >= 1 or not found.is_positive
        assert clip(found).at(sizes) == max(wanted, 0)
        pool.append(found)
        numbers.append(wanted)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (divide(multiply(N, constant(12)), constant(12)), N),
        (divide(multiply(N, multiply(M, constant(6))), multiply(N, constant(2))), multiply(M, constant(3))),
        (divide(add(multiply(N, constant(2)), constant(1)), constant(2)), N),
        (divide(N, N), constant(1)),
        (remainder(multiply(N, constant(8)), constant(4)), constant(0)),
        (multiply(add(N, constant(1)), add(N, constant(-1))), subtract(multiply(N, N), constant(1))),
    ],
)  # fmt: skip
def test_equal_sizes_have_one_form(found: Size, wanted: Size) -> None:
    assert found == wanted


def test_what_may_be_negative_is_not_divided() -> None:
    assert divide(subtract(N, constant(3)), constant(2)) is None
    assert divide(N, constant(0)) is None
