"""What the answer says of an operator that only its weight tells apart."""

from isoform.core.divergence import MEANING, Divergence


def test_an_operator_within_the_limit_is_said_to_be_told_by_its_weight() -> None:
    found = Divergence(
        MEANING, "main/42 (CONV_2D)", ("main/42 (CONV_2D)",), "norm (BatchNormalization)", ("conv (Conv)",), {}, "",
        0.16, 0.07, 0.1, 2.0, "the weight 'w/folded' is not 'w' of the reference", outputs=False,
    )  # fmt: skip
    assert found.lines() == [
        "first differs at main/42 (CONV_2D), in the reference norm (BatchNormalization)",
        "  R_rms 0.16 (limit 2); by itself 0.07, inherited 0.1",
        "  suspected: the weight 'w/folded' is not 'w' of the reference",
        "  nothing computed shows it on these cases: it is a weight that differs",
    ]
