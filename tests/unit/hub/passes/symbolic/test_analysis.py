"""What is said of sizes before a graph runs is what ONNX Runtime finds when it runs, at any size."""

import functools
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from isoform.hub import graph
from isoform.hub.passes.fold_sizes import fold_sizes
from isoform.hub.passes.simplify import simplify
from isoform.hub.passes.symbolic.analysis import Analysis

COUNT, NODES = 60, 25


def _random_graphs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("random_graphs", Path(__file__).with_name("random_graphs.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


random_graphs = _random_graphs()


def run(proto: onnx.ModelProto, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    return onnxruntime.InferenceSession(proto.SerializeToString(), random_graphs.quiet()).run(None, feed)


@functools.lru_cache(None)
def grown(seed: int) -> random_graphs.Grower:
    grower = random_graphs.Grower(seed)
    for _ in range(3 * NODES):
        if len(grower.nodes) < NODES:
            grower.grow()
    return grower


def check(said: tuple, found: tuple[int, ...], sizes: dict[str, int], label: str) -> int:
    """Compare what is known with what there is, and return how much was known."""
    count = 0
    for size, number in zip(said, found, strict=True):
        if size is not None and size.atoms() <= set(sizes):
            assert size.at(sizes) == number, (label, str(size), number, sizes)
            count += 1
    return count


@pytest.mark.parametrize("seed", range(COUNT))
def test_symbolic_sizes_and_numbers_are_those_at_run_time(seed: int) -> None:
    grower = grown(seed)
    names = [node.output[0] for node in grower.nodes]
    model = ir.from_proto(grower.model(names[-1:]))
    graph.infer_shapes(model)
    analysis = Analysis(model)
    known = 0
    for sizes, feed in zip(random_graphs.SIZES, grower.feeds, strict=True):
        found = dict(zip(names, run(grower.model(names), feed), strict=True))
        for node in model.graph:
            value, array = node.outputs[0], found[node.outputs[0].name]
            if analysis.shape(value) is not None:
                known += check(analysis.shape(value), array.shape, sizes, f"shape of {value.name}")
            numbers = analysis.content(value)
            if numbers is not None:
                assert numbers.is_list == bool(array.ndim)
                known += check(numbers.entries, tuple(array.reshape(-1).tolist()), sizes, f"content of {value.name}")
    assert known > len(names)


@pytest.mark.parametrize("seed", range(COUNT))
def test_folding_changes_no_number(seed: int) -> None:
    grower = grown(seed)
    results = [node.output[0] for node in grower.nodes][-3:]
    before = grower.model(results)
    model, simplified = graph.load(before), graph.load(before)
    graph.infer_shapes(model)
    fold_sizes(model)
    simplify(simplified)
    for feed in grower.feeds:
        wanted = run(before, feed)
        for rewritten in (model, simplified):
            for one, other in zip(run(ir.to_proto(rewritten), feed), wanted, strict=True):
                assert one.shape == other.shape
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
