"""Options of training in PyTorch: against a training in numpy, and gradients against those without the option."""

from pathlib import Path

import pytest

from training import checks
from training.steps import Step

pytestmark = [pytest.mark.torch]

MESSAGE = "Net has no nn.Sequential of three layers and no nn.ModuleList of blocks: there is nothing to compute again."


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Step]:
    return checks.variants(tmp_path_factory.mktemp("variants"), "torch")


@pytest.fixture(scope="module")
def recomputed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Step]:
    return checks.recomputed(tmp_path_factory.mktemp("recomputed"), "torch")


def test_training_is_the_one_of_the_formulas(tmp_path: Path) -> None:
    checks.training_is_the_one_of_the_formulas(tmp_path, "torch")


def test_gradients_of_parts_add_up_to_those_of_the_batch(variants: dict[str, Step]) -> None:
    checks.gradients_of_parts_add_up(variants)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_rounds_layers_and_leaves_weights_in_float32(variants: dict[str, Step], dtype: str) -> None:
    checks.mixed_precision_rounds_layers(variants, dtype)


def test_gradients_of_what_is_computed_again_are_the_same(recomputed: dict[str, Step]) -> None:
    checks.gradients_are_those_without_recomputing(recomputed, tolerance=0)


def test_computing_again_needs_less_memory(recomputed: dict[str, Step]) -> None:
    checks.recomputing_needs_less_memory(recomputed)


def test_a_network_without_a_chain_of_layers_is_refused_in_one_line(tmp_path: Path) -> None:
    checks.a_network_without_a_chain_is_refused(tmp_path, "torch", MESSAGE)


def test_event_files_hold_curves_and_the_network(tmp_path: Path) -> None:
    checks.event_files_hold_curves_and_the_network(tmp_path, "torch", {"aten::linear", "aten::tanh", "aten::softmax"})
