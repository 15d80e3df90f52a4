"""Gate 1 behind a quantisation: the nearest integers are found, and one that is not the nearest is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoform.core.matching import match
from isoform.core.quantised import HOW, Stored, through_integers

RNG = np.random.default_rng(0)
SOURCE = {
    "w": RNG.standard_normal((20, 30)).astype(np.float32),
    "b": RNG.standard_normal(30).astype(np.float32),
    "norm": RNG.standard_normal(24).astype(np.float32),
}


def of_columns(name: str, axis: int) -> Stored:
    """Quantise by hand: one scale for each place of ``axis``, the largest number 127 steps."""
    weight = SOURCE[name]
    scale = (np.abs(weight).max(axis=1 - axis) / 127).astype(np.float32)
    steps = scale[:, None] if axis == 0 else scale
    integers = np.round(weight / steps).astype(np.int8)
    return Stored(name, "gemm", f"{name}/i", f"{name}/s", integers, scale, np.zeros(len(scale), np.int64), axis)


def of_bias() -> Stored:
    scale = np.full(30, 1e-4, np.float32)
    integers = np.round(SOURCE["b"] / 1e-4).astype(np.int32)
    return Stored("b", "gemm", "b/i", "b/s", integers, scale, np.zeros(30, np.int64), 0)


def judged(stored: list[Stored], export: dict[str, np.ndarray]):
    return through_integers(match(SOURCE, SOURCE), SOURCE, SOURCE, stored, export)


def exported(*stored: Stored) -> dict[str, np.ndarray]:
    """Return what an export holds of them, weights transposed as another format has them, and the rest as it was."""
    parts = {f"k{place}": entry.integers.T.copy() for place, entry in enumerate(stored)}
    parts |= {f"k{place}/scale": entry.scale for place, entry in enumerate(stored)}
    return parts | {name: array for name, array in SOURCE.items() if name not in {each.weight for each in stored}}


@pytest.mark.parametrize("axis", [0, 1])
def test_integers_and_scales_are_found_wherever_they_went(axis: int) -> None:
    stored = [of_columns("w", axis), of_bias()]
    found, strange = judged(stored, exported(*stored))
    assert {entry.parameter: (entry.how, entry.tensors) for entry in found} == {
        "w": (HOW, ("k0", "k0/scale")), "b": (HOW, ("k1", "k1/scale")), "norm": ("exact", ("norm",)),
    }  # fmt: skip
    assert not strange


@given(st.integers(0, 19), st.integers(0, 29), st.sampled_from([-1, 1]))
def test_an_integer_that_is_one_off_anywhere_is_named(row: int, column: int, off: int) -> None:
    stored = of_columns("w", 1)
    stored.integers[row, column] += off if abs(int(stored.integers[row, column]) + off) <= 127 else -off
    _, strange = judged([stored, of_bias()], exported(stored, of_bias()))
    assert len(strange) == 1
    assert strange[0].startswith("'w' is ")
    assert strange[0].endswith("steps from its integers, and the nearest ones are within half a step")


def test_scales_of_a_thousandth_more_are_named() -> None:
    wrong = of_columns("w", 1)
    wrong = Stored("w", "gemm", "w/i", "w/s", wrong.integers, wrong.scale * np.float32(1.001), wrong.zero_point, 1)
    _, strange = judged([wrong, of_bias()], exported(wrong, of_bias()))
    assert [line.split(" ")[0] for line in strange] == ["'w'"]


def test_an_export_with_another_integer_or_scale_than_the_graph_of_integers_does_not_hold_the_weight() -> None:
    stored = [of_columns("w", 1), of_bias()]
    for name in ("k0", "k0/scale"):
        export = exported(*stored)
        export[name] = export[name].copy()
        export[name].flat[5] += 1
        found, strange = judged(stored, export)
        assert [entry.how for entry in found] == ["unexplained", HOW, "exact"]
        assert strange == [f"the tensor '{name}' is none of the float32 graph, as it is or in integers"]


def test_what_is_not_stored_as_integers_has_to_be_as_it_was() -> None:
    stored = [of_columns("w", 1), of_bias()]
    export = exported(*stored) | {"norm": SOURCE["norm"] + np.float32(1e-6)}
    found, strange = judged(stored, export)
    assert found[2].how == "unexplained"
    assert len(strange) == 1


def test_integers_of_a_weight_that_the_float_graph_does_not_have_are_named() -> None:
    stored = of_columns("w", 1)
    other = Stored("v", "gemm", "v/i", "v/s", stored.integers, stored.scale, stored.zero_point, 1)
    _, strange = judged([stored, other, of_bias()], exported(stored, of_bias()))
    assert "the integers 'v/i' stand for no weight of the float32 graph" in strange


def test_a_parameter_that_was_joined_with_zeros_may_stand_alone() -> None:
    """ONNX joins the bias of an LSTM with a second one; TFLite's kernels take one."""
    source = {"kernel": RNG.standard_normal((5, 64)).astype(np.float32), "bias": RNG.standard_normal(64).astype("f")}
    before = {"kernel": source["kernel"], "B": np.concatenate([source["bias"], np.zeros(64, np.float32)])}
    export = {"kernel": source["kernel"], "bias": source["bias"]}
    found, strange = through_integers(match(source, before), source, before, [], export)
    assert {entry.parameter: entry.tensors for entry in found} == {"kernel": ("kernel",), "bias": ("bias",)}
    assert not strange


def test_a_scale_of_ones_that_the_export_leaves_out_is_explained() -> None:
    source = {"w": SOURCE["w"], "scale": np.ones(30, np.float32), "bias": np.zeros(41, np.float32)}
    stored = of_columns("w", 1)
    export = {"k": stored.integers, "k/scale": stored.scale}
    found, strange = through_integers(match(source, source), source, source, [stored], export)
    assert {entry.parameter: entry.how for entry in found} == {"w": HOW, "scale": "one", "bias": "zero"}
    assert not strange
