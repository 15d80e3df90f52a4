"""Gate 2 of integers: without its rounding, a graph of integers is the float graph with those weights, exactly so."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

from isoform.core.cases import Tensors
from isoform.hub import graph
from isoform.hub.passes.ignore_integers import ignore_integers
from isoform.hub.quantize.onnx_form import for_onnx_runtime
from isoform.hub.quantize.quantizer import Quantizer, without_samples
from isoform.hub.quantize.stored import stored
from isoform.hub.quantize.substituted import substituted
from unit.hub.quantize.networks import drawn, model_of, silent, within_a_tenth

RNG = np.random.default_rng(3)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape) / np.sqrt(shape[-1])


IMAGES = (
    model_of(
        "float[n,3,8,8] x", "float[n,5] y",
        "a = Conv<pads=[1,1,1,1]>(x, w, b) r = Relu(a) p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r)"
        " f = Flatten(p) g = Gemm<transB=1>(f, v, c) y = Sigmoid(g)",
        w=normal(4, 3, 3, 3), b=normal(4), v=normal(5, 64), c=normal(5),
    ),
    drawn(4, 2, 3, 8, 8),
)  # fmt: skip
SEQUENCES = (
    model_of(
        "float[t,n,32] x", "float[t,d,n,16] y", "y = LSTM<hidden_size=16>(x, w, r, b)",
        w=normal(1, 64, 32), r=normal(1, 64, 16), b=normal(1, 128),
    ),
    drawn(4, 5, 2, 32),
)  # fmt: skip


def words(count: int):
    def samples():
        rng = np.random.default_rng(0)
        for _ in range(count):
            yield {"x": rng.integers(0, 40, (3, 4))}

    return samples


ROWS = (
    model_of(
        "int64[n,4] x", "float[n,4,7] y", "e = Gather(table, x) y = MatMul(e, w)", table=normal(40, 32), w=normal(32, 7)
    ),
    words(4),
)
NETWORKS = {"images": IMAGES, "sequences": SEQUENCES, "rows of a table": ROWS}


def answers(model: ir.Model, sample: Tensors, folder: Path) -> np.ndarray:
    """Run a graph of numbers as it stands."""
    path = folder / "model.onnx"
    graph.save(model, path)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    [found] = session.run(None, dict(sample))
    return np.asarray(found)


def quantised(network: str, precision: str) -> tuple[ir.Model, ir.Model, Any]:
    model, samples = NETWORKS[network]
    if precision == "int8":
        return model, Quantizer(model, samples, within_a_tenth, silent).graph((), is_cut=False), samples
    return model, without_samples(model, ()), samples


@pytest.mark.parametrize("precision", ["int8", "dynamic-int8"])
@pytest.mark.parametrize("network", NETWORKS)
def test_both_compute_the_same(network: str, precision: str, tmp_path: Path) -> None:
    model, integers, samples = quantised(network, precision)
    sample = next(iter(samples()))
    expected = answers(substituted(model, stored(integers)), sample, tmp_path)
    assert stored(integers)
    for_onnx_runtime(integers)
    rounded = answers(integers, sample, tmp_path)
    ignore_integers(integers)
    kinds = {node.op_type for node in integers.graph}
    assert not kinds & {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger"}
    found = answers(integers, sample, tmp_path)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    if "rows" not in network or precision != "dynamic-int8":
        assert np.abs(rounded - expected).max() > 1e-4, "rounding of activations is what was left out"


@pytest.mark.parametrize("network", NETWORKS)
def test_another_integer_shows(network: str, tmp_path: Path) -> None:
    model, integers, samples = quantised(network, "dynamic-int8")
    sample = next(iter(samples()))
    expected = answers(substituted(model, stored(integers)), sample, tmp_path)
    name = max(stored(integers), key=lambda entry: entry.integers.size).integers_name
    value = integers.graph.initializers[name]
    assert value.const_value is not None
    value.const_value = ir.tensor(-value.const_value.numpy(), name=name)
    ignore_integers(integers)
    assert np.abs(answers(integers, sample, tmp_path) - expected).max() > 1e-2
