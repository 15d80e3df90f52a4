"""Ranges against NumPy over all samples at once, and memory that does not grow with their number."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from isoform.core.cases import Tensors
from isoform.errors import IsoformError
from isoform.hub.quantize import calibration
from unit.hub.quantize.networks import drawn, model_of, silent

WEIGHT = np.random.default_rng(4).standard_normal((6, 5))


def network() -> object:
    return model_of("float[n,6] x", "float[n,5] y", "h = MatMul(x, w) r = Relu(h) y = Sigmoid(r)", w=WEIGHT)


def test_extremes_are_those_of_all_samples_together() -> None:
    samples = drawn(7, 4, 6)
    model = network()
    names = ["x", next(node.outputs[0].name for node in model.graph if node.op_type == "Relu")]
    found = calibration.extremes(model, names, samples, silent)
    x = np.concatenate([sample["x"] for sample in samples()])
    hidden = np.maximum(x @ WEIGHT.astype(np.float32), 0)
    assert found["x"] == (x.min(), x.max())
    np.testing.assert_allclose(found[names[1]], (hidden.min(), hidden.max()), rtol=1e-5)


def test_samples_of_different_sizes_count_alike() -> None:
    def samples() -> list[Tensors]:
        return [{"x": np.full((size, 6), size, np.float32)} for size in (1, 3, 2)]

    assert calibration.extremes(network(), ["x"], samples, silent)["x"] == (1.0, 3.0)


def test_tails_are_cut_off_where_that_brings_integers_nearer_to_the_numbers() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((1000, 6)).astype(np.float32)
    numbers[0, 0] = 60.0
    bounds = {"x": (float(numbers.min()), float(numbers.max()))}
    cut = calibration.without_tails(network(), bounds, lambda: [{"x": numbers}], silent)["x"]
    assert cut[1] < 60

    def squared_error(low: float, high: float) -> float:
        step = (high - low) / 255
        return float(np.square(np.clip(np.round(numbers / step), low / step, high / step) * step - numbers).sum())

    candidates = [squared_error(bounds["x"][0] * share, bounds["x"][1] * share) for share in np.linspace(0.125, 1, 64)]
    assert squared_error(*cut) < 1.05 * min(candidates)
    assert squared_error(*cut) < squared_error(*bounds["x"])


def test_no_samples_are_an_error() -> None:
    with pytest.raises(IsoformError) as caught:
        calibration.extremes(network(), ["x"], list, silent)
    assert str(caught.value) == "There are no samples to calibrate with."


def test_a_sample_at_which_the_model_overflows_is_named() -> None:
    def samples() -> list[Tensors]:
        return [{"x": np.full((1, 6), np.inf, np.float32)}]

    with pytest.raises(IsoformError, match=re.escape("'x' is not finite in the samples")):
        calibration.extremes(network(), ["x"], samples, silent)


PEAK = """
import resource, sys
import numpy as np
sys.path.insert(0, {folder!r})
from isoform.hub.quantize import calibration
from unit.hub.quantize.networks import drawn, model_of, silent
model = model_of("float[n,3,64,64] x", "float[n,8,64,64] y", "y = Conv(x, w)", w=np.ones((8, 3, 1, 1)))
names = ["x", model.graph.outputs[0].name]
samples = drawn({count}, 8, 3, 64, 64)
bounds = calibration.extremes(model, names, samples, silent)
calibration.without_tails(model, bounds, samples, silent)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_memory_does_not_grow_with_the_number_of_samples() -> None:
    peaks = []
    for count in (20, 80):
        code = PEAK.format(folder=str(Path(__file__).parents[3]), count=count)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    all_more = 60 * 8 * (3 + 8) * 64 * 64 * 4  # what 60 further samples and what they give take
    assert peaks[1] - peaks[0] < all_more / 4
