"""Tables of decision trees, counted by hand."""

import numpy as np

from isoform.hub.emitters.forest import LESS, MEMBER, depth_of, members_of


def test_members_stand_in_the_rows_of_the_nodes_that_ask_for_them() -> None:
    nan = np.nan
    table = members_of(np.array([1.0, 2.0, nan, 5.0, nan]), np.array([MEMBER, LESS, MEMBER]))
    np.testing.assert_array_equal(table, [[1, 2], [nan, nan], [5, nan]])


def test_depth_counts_the_steps_of_the_longest_way() -> None:
    # 0 leads to 1 and to leaf 2; 1 to the leaves 3 and 4; leaves to themselves
    if_true, if_false = np.array([1, 3, 2, 3, 4]), np.array([2, 4, 2, 3, 4])
    assert depth_of(np.array([0]), if_true, if_false) == 2
    assert depth_of(np.array([2]), if_true, if_false) == 0


def test_trees_that_go_round_in_a_circle_come_to_an_end() -> None:
    assert depth_of(np.array([0]), np.array([1, 0]), np.array([1, 0])) <= 3
