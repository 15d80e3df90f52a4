"""Outputs found by running: names of dimensions that follow, sizes that must agree, models that do not run."""

from collections.abc import Mapping

import numpy as np
import pytest

from isoform.core.signature import TensorSpec
from isoform.errors import IsoformError
from isoform.jobs.observe import observed, observed_of_file, observed_with_free_names


def test_an_axis_that_follows_an_input_gets_its_name_and_another_one_a_name_of_its_own() -> None:
    inputs = [TensorSpec.parse("x:float32[batch,length,8]")]
    found = observed(inputs, lambda arrays: {"y": np.zeros((len(arrays["x"]), arrays["x"].shape[1] + 1, 8))})
    assert [str(spec) for spec in found.signature.outputs] == ["y:float64[batch,y_1,8]"]


def test_inputs_whose_free_axes_cannot_differ_share_a_name() -> None:
    inputs = [TensorSpec.parse("ids:int64[batch,dim_0_1]"), TensorSpec.parse("mask:int64[batch,dim_1_1]")]
    found = observed_with_free_names(inputs, lambda arrays: {"sum": arrays["ids"] + arrays["mask"]}).signature
    assert found.inputs[0].shape == found.inputs[1].shape == found.outputs[0].shape == ("batch", "dim_1")


def test_what_does_not_run_says_at_which_sizes_and_why() -> None:
    def run(arrays: object) -> dict[str, np.ndarray]:
        raise ValueError("only squares")

    with pytest.raises(IsoformError, match=r"at batch=2, side=14: ValueError: only squares") as caught:
        observed([TensorSpec.parse("x:float32[batch,side]")], run)
    assert caught.value.kind == "does-not-run"


def test_text_inputs_are_refused_by_name() -> None:
    with pytest.raises(IsoformError, match="'sentence' takes text"):
        observed([TensorSpec("sentence", "string", ("batch",))], lambda arrays: {})


def test_a_network_of_halvings_is_tried_at_multiples_of_32() -> None:
    def halvings(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        _, height, width = arrays["image"].shape
        if height % 32 or width % 32:
            raise ValueError("sizes of tensors must match")
        return {"mask": arrays["image"][:, ::2, ::2]}

    found = observed([TensorSpec.parse("image:float32[batch,height,width]")], halvings)
    assert found.sizes["height"] == (32, 64, 96)
    assert found.signature.outputs[0].shape[0] == "batch"


def test_a_network_of_waves_is_tried_at_hundreds_of_samples() -> None:
    def frames(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if arrays["wave"].shape[1] < 400:
            raise ValueError("the kernel is larger than the input")
        return {"frames": arrays["wave"][:, 399::320]}

    found = observed([TensorSpec.parse("wave:float32[batch,samples]")], frames)
    assert found.sizes["samples"] == (960, 1200, 2000)


def test_an_axis_that_runs_at_one_size_only_is_named() -> None:
    def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if arrays["x"].shape[1] != 64:
            raise ValueError("64 features")
        return {"y": arrays["x"]}

    with pytest.raises(IsoformError, match="runs with 'features' = 64 only"):
        observed([TensorSpec.parse("x:float32[batch,features]")], run)


def test_a_file_whose_state_has_one_sample_only_gets_a_batch_of_one() -> None:
    def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if len(arrays["x"]) != arrays["state"].shape[1]:
            raise ValueError("the state is of another batch")
        return {"y": arrays["x"] + 1}

    inputs = [TensorSpec.parse("x:float32[batch_size,frames]"), TensorSpec.parse("state:float32[2,1,8]")]
    found = observed_of_file(inputs, (), observed, run)
    assert found.fixed == {"batch_size": 1}
    assert [spec.shape for spec in (*found.signature.inputs, *found.signature.outputs)] == [
        (1, "frames"), (2, 1, 8), (1, "frames"),
    ]  # fmt: skip
    assert "batch_size" not in found.sizes
    with pytest.raises(IsoformError, match="of another batch"):
        observed_of_file(inputs, ["x"], observed, run)


def test_a_stream_that_takes_chunks_of_one_length_gets_that_length() -> None:
    def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if arrays["chunk"].shape[1] != 512 or arrays["state"].shape[1] != len(arrays["chunk"]):
            raise ValueError("chunks of 512")
        return {"y": arrays["chunk"].mean(1)}

    inputs = [TensorSpec.parse("chunk:float32[dim_0_0,dim_0_1]"), TensorSpec.parse("state:float32[2,dim_1_1,8]")]
    found = observed_of_file(inputs, (), observed, run)
    assert found.fixed == {"dim_0_0": 1, "dim_0_1": 512, "dim_1_1": 1}
    assert found.signature.outputs[0].shape == (1,)


def test_a_file_that_runs_at_no_size_is_refused_as_ever() -> None:
    def run(arrays: object) -> dict[str, np.ndarray]:
        raise ValueError("never")

    with pytest.raises(IsoformError, match="ValueError: never"):
        observed_of_file([TensorSpec.parse("x:float32[n,m]")], (), observed, run)


def test_a_size_that_leaves_a_network_nothing_to_compute_with_does_not_count() -> None:
    def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        image = arrays["image"]
        parts = np.float32(image.shape[1] // 16)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {"mean": np.zeros(len(image), np.float32) / parts}

    found = observed([TensorSpec.parse("image:float32[batch,height]")], run)
    assert min(found.sizes["height"]) >= 16
