"""Several processes that train one network in PyTorch, against one that does it alone."""

from pathlib import Path

import pytest

from training import checks

pytestmark = [pytest.mark.torch]


def test_two_workers_learn_what_one_does(tmp_path: Path) -> None:
    checks.two_workers_learn_what_one_does(tmp_path, "torch")


def test_a_killed_training_of_two_workers_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    checks.a_killed_training_of_two_workers_goes_on(tmp_path)


def test_two_workers_normalise_by_the_whole_batch(tmp_path: Path) -> None:
    checks.two_workers_normalise_by_the_whole_batch(tmp_path, "torch")
