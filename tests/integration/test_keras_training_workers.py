"""Several processes that train one network in Keras, against one that does it alone."""

from pathlib import Path

import pytest

from isoform.errors import IsoformError
from training import checks, networks

pytestmark = [pytest.mark.tensorflow]


def test_two_workers_learn_what_one_does(tmp_path: Path) -> None:
    checks.two_workers_learn_what_one_does(tmp_path, "keras")


def test_float16_of_several_workers_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(IsoformError) as caught:
        networks.trained(tmp_path, networks.HIDDEN, "keras", workers=2, mixed_precision="float16")
    assert caught.value.what == (
        "Worker 1 of 2 failed: Several workers cannot train in float16: "
        "Keras' LossScaleOptimizer asks each for its own gradients only."
    )
    assert caught.value.hint == "Take --mixed-precision bfloat16, or one worker."


def test_two_workers_normalise_by_the_whole_batch(tmp_path: Path) -> None:
    checks.two_workers_normalise_by_the_whole_batch(tmp_path, "keras")
