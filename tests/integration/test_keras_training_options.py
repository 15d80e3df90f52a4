"""Options of training in Keras: against a training in numpy, and gradients against those without the option."""

from pathlib import Path

import pytest

from training import checks
from training.steps import Step

pytestmark = [pytest.mark.tensorflow]


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Step]:
    return checks.variants(tmp_path_factory.mktemp("variants"), "keras")


def test_training_is_the_one_of_the_formulas(tmp_path: Path) -> None:
    checks.training_is_the_one_of_the_formulas(tmp_path, "keras")


def test_gradients_of_parts_add_up_to_those_of_the_batch(variants: dict[str, Step]) -> None:
    checks.gradients_of_parts_add_up(variants)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_rounds_layers_and_leaves_weights_in_float32(variants: dict[str, Step], dtype: str) -> None:
    checks.mixed_precision_rounds_layers(variants, dtype)
