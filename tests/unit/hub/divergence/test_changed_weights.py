"""What is said of a weight that was folded into a layer: what its own rounding hides is no change."""

import numpy as np

from isoform.hub.divergence.changed_weights import told

RNG = np.random.default_rng(3)
WEIGHT = RNG.normal(size=(5, 7)).astype(np.float32)
FACTOR = RNG.uniform(0.5, 2.0, size=(5, 1))
FOLDED = (WEIGHT.astype(np.float64) * FACTOR).astype(np.float32)
STEPWISE = (WEIGHT * np.sqrt(FACTOR).astype(np.float32)) * np.sqrt(FACTOR).astype(np.float32)


def test_products_that_were_rounded_in_two_ways_are_one() -> None:
    assert not np.array_equal(FOLDED, STEPWISE)
    assert told(FOLDED, STEPWISE, is_rounded=True) == ""


def test_one_element_of_a_product_is_named() -> None:
    wrong = STEPWISE.copy()
    wrong[4, 2] *= 1.001
    assert told(FOLDED, wrong, is_rounded=True).startswith("one element, [4, 2], is ")


def test_a_product_of_a_rounded_weight_is_told_by_how_far_it_is_off() -> None:
    half = (WEIGHT.astype(np.float16).astype(np.float64) * FACTOR).astype(np.float32)
    assert told(FOLDED, half, is_rounded=True) == "reduced precision: as rounded to float16"


def test_a_later_step_of_training_is_not_taken_for_rounding() -> None:
    later = (FOLDED * (1 + 0.01 * RNG.normal(size=FOLDED.shape))).astype(np.float32)
    assert told(FOLDED, later, is_rounded=True).startswith("stale: every element differs, by ")
