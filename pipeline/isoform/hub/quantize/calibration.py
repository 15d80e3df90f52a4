"""The range of every activation over the samples, in memory that does not grow with their number.

The graph itself takes the smallest and largest of each tensor, so that a run gives two numbers a tensor and frees what
it computed. Where tails are to be cut off, a second round counts each tensor in a histogram over its range, sample by
sample. onnxruntime.quantization's calibrators hold the tensors of all samples for that. Not aware of what becomes of
the ranges.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime

from isoform.core.cases import Tensors
from isoform.core.protocols import Array
from isoform.errors import IsoformError
from isoform.hub import graph as hub_graph

Samples = Callable[[], Iterable[Tensors]]
"""Yields the same samples each time it is called, one after the other: inputs by name."""
Progress = Callable[..., None]
Bounds = Mapping[str, tuple[float, float]]
"""By tensor, the smallest and the largest number that integers have to reach."""
ERRORS_ONLY = 3
BINS = 2048
_CANDIDATES = 64
"""Narrower ranges that are tried."""
_NARROWEST = 1 / 8
_INTEGERS = 255


def extremes(model: ir.Model, names: Sequence[str], samples: Samples, progress: Progress) -> Bounds:
    """Return the smallest and the largest number of the tensors called ``names`` over all ``samples``.

    Nothing runs where there are none, as in a network of recurrent layers alone.

    Args:
        progress: called with each sample done.

    Raises:
        IsoformError: there are no samples, or a tensor is not finite in one of them.
    """
    if not names:
        return {}
    low = dict.fromkeys(names, np.inf)
    high = dict.fromkeys(names, -np.inf)
    count = 0
    for found in runs(_with_extremes(model, names), samples):
        count += 1
        for name in names:
            low[name] = min(low[name], float(found[f"{name}/low"]))
            high[name] = max(high[name], float(found[f"{name}/high"]))
        progress(step="ranges", sample=count)
    if not count:
        raise IsoformError("There are no samples to calibrate with.", "Give some: --cases FILE.npz", kind="calibration")
    _refuse_infinities(low, high)
    return {name: (low[name], high[name]) for name in names}


def without_tails(model: ir.Model, bounds: Bounds, samples: Samples, progress: Progress) -> Bounds:
    """Return the ranges inside of ``bounds`` whose 256 integers are nearest to all numbers in the square mean."""
    histograms = {name: np.zeros(BINS, np.int64) for name in bounds}
    for place, found in enumerate(runs(_with_outputs(model, list(bounds)), samples), 1):
        for name, (low, high) in bounds.items():
            if low < high:
                histograms[name] += np.histogram(found[name], BINS, (low, high))[0]
        progress(step="histograms", sample=place)
    return {name: _nearest(histograms[name], *bounds[name]) for name in bounds}


def _refuse_infinities(low: Mapping[str, float], high: Mapping[str, float]) -> None:
    for name in low:
        if not np.isfinite([low[name], high[name]]).all():
            raise IsoformError(
                f"'{name}' is not finite in the samples: no integers reach from {low[name]:g} to {high[name]:g}.",
                "Take out the samples at which the model overflows.",
                kind="calibration",
            )


def _nearest(histogram: Array, low: float, high: float) -> tuple[float, float]:
    """Return the part of a range with the least sum of squared errors: of rounding inside, of being cut off outside.

    Both ends move in by the same share, down to an eighth.
    """
    edges = np.linspace(low, high, BINS + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    best, least = (low, high), np.inf
    if low == high:
        return best
    for share in np.linspace(1, _NARROWEST, _CANDIDATES):
        bottom, top = min(low, 0.0) * share, max(high, 0.0) * share
        step = (top - bottom) / _INTEGERS
        outside = centres - np.clip(centres, bottom, top)
        # Half a step at most, evenly spread: a twelfth of its square.
        error = float((histogram * np.where(outside == 0, step**2 / 12, outside**2)).sum())
        if error < least:
            best, least = (float(max(low, bottom)), float(min(high, top))), error
    return best


def _with_extremes(model: ir.Model, names: Sequence[str]) -> ir.Model:
    """Return a copy whose outputs are the smallest and the largest number of each tensor."""
    own = model.clone()
    values = ir.convenience.create_value_mapping(own.graph, include_subgraphs=False)
    own.graph.outputs.clear()
    for name in names:
        for op_type, suffix in (("ReduceMin", "low"), ("ReduceMax", "high")):
            node = ir.node(op_type, [values[name]], {"keepdims": 0})
            node.outputs[0].name = f"{name}/{suffix}"
            node.outputs[0].type, node.outputs[0].shape = ir.TensorType(ir.DataType.FLOAT), ir.Shape([])
            own.graph.append(node)
            own.graph.outputs.append(node.outputs[0])
    return own


def _with_outputs(model: ir.Model, names: Sequence[str]) -> ir.Model:
    own = model.clone()
    values = ir.convenience.create_value_mapping(own.graph, include_subgraphs=False)
    own.graph.outputs.clear()
    own.graph.outputs.extend(values[name] for name in names)
    return own


def runs(model: ir.Model, samples: Samples) -> Iterator[Tensors]:
    """Yield what a graph gives for each sample, by name."""
    with opened(model) as session:
        names = [output.name for output in session.get_outputs()]
        inputs = {each.name for each in session.get_inputs()}
        for sample in samples():
            given = {name: array for name, array in sample.items() if name in inputs}
            yield dict(zip(names, session.run(names, given), strict=True))


@contextmanager
def opened(model: ir.Model) -> Iterator[onnxruntime.InferenceSession]:
    """Give a session of a graph that is not written anywhere else."""
    with tempfile.TemporaryDirectory(prefix="isoform-quantize.") as folder:
        path = Path(folder) / "model.onnx"
        hub_graph.save(model, path)
        yield session_of(path)


def session_of(path: Path) -> onnxruntime.InferenceSession:
    """Return a session on the CPU."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = ERRORS_ONLY
    settings.enable_cpu_mem_arena = False  # an arena keeps the largest of everything it has ever held
    return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
