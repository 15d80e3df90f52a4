"""Outputs found by running: names of dimensions that follow, sizes that must agree, models that do not run."""

import numpy as np
import pytest

from isoform.core.signature import TensorSpec
from isoform.errors import IsoformError
from isoform.jobs.observe import observed, observed_with_free_names


def test_an_axis_that_follows_an_input_gets_its_name_and_another_one_a_name_of_its_own() -> None:
    inputs = [TensorSpec.parse("x:float32[batch,length,8]")]
    found = observed(inputs, lambda arrays: {"y": np.zeros((len(arrays["x"]), arrays["x"].shape[1] + 1, 8))})
    assert [str(spec) for spec in found.outputs] == ["y:float64[batch,y_1,8]"]


def test_inputs_whose_free_axes_cannot_differ_share_a_name() -> None:
    inputs = [TensorSpec.parse("ids:int64[batch,dim_0_1]"), TensorSpec.parse("mask:int64[batch,dim_1_1]")]
    found = observed_with_free_names(inputs, lambda arrays: {"sum": arrays["ids"] + arrays["mask"]})
    assert found.inputs[0].shape == found.inputs[1].shape == found.outputs[0].shape == ("batch", "dim_1")


def test_what_does_not_run_says_at_which_sizes_and_why() -> None:
    def run(arrays: object) -> dict[str, np.ndarray]:
        raise ValueError("only squares")

    with pytest.raises(IsoformError, match=r"at batch=2, side=17: ValueError: only squares") as caught:
        observed([TensorSpec.parse("x:float32[batch,side]")], run)
    assert caught.value.kind == "does-not-run"


def test_text_inputs_are_refused_by_name() -> None:
    with pytest.raises(IsoformError, match="'sentence' takes text"):
        observed([TensorSpec("sentence", "string", ("batch",))], lambda arrays: {})
