"""Means and sums over images in TFLite: as exact as their size allows, though kernels add one by one."""

from pathlib import Path

import numpy as np
import pytest

from integration.litert_runner import PLAIN, XNNPACK, answers, parsed
from isoform.hub import graph
from isoform.hub.emitters import tflite
from zoo import tflite_file

UNIT = 2.0**-24
MEAN = "(float[n, 8, H, W] x) => (float[n, 8] y) <int64[2] axes = {2, 3}> { y = ReduceMean <keepdims=0> (x, axes) }"
SUM = MEAN.replace("ReduceMean", "ReduceSum")
POOL = "(float[n, 8, H, W] x) => (float[n, 8, 1, 1] y) { y = GlobalAveragePool(x) }"


def emitted(text: str, height: int | str, width: int | str) -> bytes:
    return tflite.emit(graph.load(parsed(text.replace("H", str(height)).replace("W", str(width)))))


MOST = 16 * UNIT
"""Summed at once the same means are 100 units off."""


@pytest.mark.parametrize("resolver", [PLAIN, XNNPACK])
@pytest.mark.parametrize("size", [(224, 224), ("h", "w")])
@pytest.mark.parametrize("text", [MEAN, SUM, POOL])
def test_a_mean_over_a_large_image_is_right_to_few_units_in_the_last_place(text: str, size: tuple, resolver) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (2, 8, 224, 224)).astype(np.float32)
    wanted = (np.sum if text == SUM else np.mean)(x.astype(np.float64), (2, 3))
    [found] = answers(emitted(text, *size), [x], resolver)
    assert np.abs(found.reshape(2, 8) / wanted - 1).max() < MOST


@pytest.mark.parametrize(("size", "count"), [((7, 7), 1), ((1, 4096), 1), ((16, 16), 1), ((56, 56), 2), (("h", 7), 2)])
def test_a_small_image_takes_one_operator(size: tuple, count: int, tmp_path: Path) -> None:
    path = tmp_path / "mean.tflite"
    path.write_bytes(emitted(POOL, *size))
    assert tflite_file.operators(path)["MEAN"] == count
