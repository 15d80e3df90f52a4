"""Cases at which the source itself is far off: named, held to a coarse limit, and no cover for the others."""

import numpy as np
import pytest

from isoform.core.cases import Floor
from isoform.core.conditioning import AMPLIFIED, Conditioning

RNG = np.random.default_rng(5)


NOTHING = Floor(0.0, 0.0)


def conditioning(reference: list[np.ndarray], source: list[np.ndarray]) -> Conditioning:
    return Conditioning.of(reference, source, [NOTHING] * len(reference))


def columns(factors: list[float]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return references and what the source answers, a case each, off by 1e-7 times a factor."""
    exact = [RNG.standard_normal((2, 50)) for _ in factors]
    signs = [RNG.choice([-1, 1], one.shape) for one in exact]
    return exact, [one * (1 + 1e-7 * factor * sign) for one, sign, factor in zip(exact, signs, factors, strict=True)]


def test_a_case_at_which_the_source_is_a_hundred_times_further_off_is_left_out() -> None:
    reference, source = columns([1.0] * 20 + [100.0] + [2.0] * 11)
    found = conditioning(reference, source)
    assert found.left_out.keys() == {20}
    assert found.amplification == pytest.approx(100, rel=0.5)
    assert len(found.kept(reference)) == 31


@pytest.mark.parametrize("factors", [[1.0] * 32, [1.0, 3.0] * 16, [0.0] * 32, [1.0] * 20 + [AMPLIFIED * 3.0] * 12])
def test_a_model_that_is_alike_everywhere_keeps_all_its_cases(factors: list[float]) -> None:
    assert conditioning(*columns(factors)).left_out == {}


def test_a_case_at_which_rounding_may_do_as_much_is_left_out_though_the_source_is_exact_there() -> None:
    reference, source = columns([1.0] * 15 + [0.0])
    floors = [Floor(1e-7, 3e-7)] * 15 + [Floor(1e-5, 3e-5)]
    assert Conditioning.of(reference, source, floors).left_out.keys() == {15}
    assert Conditioning.of(reference, source, [*floors[:-1], Floor(1e-6, 3e-6)]).left_out == {}


def test_the_floor_over_several_cases_weighs_their_elements() -> None:
    floor = Floor.over([Floor(1.0, 2.0), Floor(3.0, 5.0)], [30, 10])
    assert floor == Floor(pytest.approx(np.sqrt((30 + 90) / 40)), 5.0)
    assert Floor.over([], []) == NOTHING


def test_what_is_left_out_may_not_be_wrong_altogether() -> None:
    reference, source = columns([1.0] * 15 + [1000.0])
    found = conditioning(reference, source)
    text, is_near = found.finding(reference, source, most=8)
    assert is_near
    assert text.startswith("case 15 left out: rounding alone does 1000 x there what it does elsewhere")
    assert not found.finding(reference, [*source[:-1], source[-1] * 1.2], most=8)[1]


def test_where_rounding_takes_more_than_the_coarse_limit_an_export_may_be_as_many_times_off_as_elsewhere() -> None:
    reference, source = columns([1.0] * 15 + [2e5])  # off by 2 %
    found = conditioning(reference, source)
    assert found.left_out[15] == pytest.approx(0.02, rel=0.1)
    for factor, is_near in ((1.14, True), (1.2, False)):
        assert found.finding(reference, [*source[:-1], reference[-1] * factor], most=8)[1] == is_near
