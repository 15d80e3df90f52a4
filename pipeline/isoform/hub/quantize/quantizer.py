"""One float graph and its samples: what it becomes in integers for any choice of layers, and what that is worth.

Ranges are collected once, for all layers; a choice only decides which of them are used. Not aware of formats, nor of
which choice is the best.
"""

import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime
from onnx_ir.passes import common

from isoform.core.cases import Tensors
from isoform.hub import graph as hub_graph
from isoform.hub.quantization import Quantization
from isoform.hub.quantize import calibration, dynamic, static
from isoform.hub.quantize.arithmetic import Arithmetic, arithmetic
from isoform.hub.quantize.calibration import Progress, Samples
from isoform.hub.quantize.local_error import signal_to_noise
from isoform.hub.quantize.onnx_form import for_onnx_runtime
from isoform.hub.quantize.scales import UNSATURATED
from isoform.hub.quantize.search import Trial
from isoform.hub.quantize.units import chosen

Judge = Callable[[Sequence[Tensors], Sequence[Tensors]], tuple[float, float, bool]]
"""Compares a teacher's outputs with others: the agreement of decisions, its lower bound, and whether that passes."""
_ROUNDS = 7


class Quantizer:
    """Makes graphs of integers from a prepared one, and tries them.

    Attributes:
        is_calibrated: activations have ranges, collected from the samples; else weights alone are integers, and samples
            only tell what that is worth.
    """

    def __init__(
        self, model: ir.Model, samples: Samples, judge: Judge, progress: Progress, *, is_calibrated: bool = True
    ) -> None:
        self.model, self.is_calibrated = model, is_calibrated
        self._samples, self._judge, self._progress = samples, judge, progress
        self._extremes: calibration.Bounds = {}
        if is_calibrated:
            names = [str(value.name) for value in static.points(chosen(model.graph, ()))]
            self._extremes = calibration.extremes(model, names, samples, progress)
        self._cut: calibration.Bounds | None = None
        self._teacher: list[Tensors] | None = None

    def graph(self, kept: Collection[str], is_cut: bool, highest: int = UNSATURATED) -> ir.Model:
        """Return the graph in integers, for any format.

        Args:
            kept: layers in float.
            highest: the integer that stands for the largest value of a weight; with the default every runtime gives
                the same on every processor.
        """
        if not self.is_calibrated:
            return without_samples(self.model, kept, highest)
        own = self.model.clone()
        units = chosen(own.graph, kept)
        static.insert(own, units, static.parameters(units, self._bounds(is_cut)), highest)
        static.store_rest(own.graph, kept, highest)
        return _clean(own)

    def layers(self) -> list[str]:
        """Return the names of the layers, those with the largest error of their own first; without ranges, of those
        that integers change.
        """
        about = self.parameters() if self.is_calibrated else None
        errors = signal_to_noise(self.model, about, self._samples, self._progress)
        order = sorted(errors, key=lambda name: errors[name])
        return order if self.is_calibrated else [name for name in order if np.isfinite(errors[name])]

    def parameters(self) -> dict[str, Quantization]:
        """Return what the integers of each activation stand for where no layer is kept and nothing is cut, by name."""
        about = static.parameters(chosen(self.model.graph, ()), self._extremes)
        return {str(value.name): found for value, found in about.items()}

    def trial(self, kept: Sequence[str], is_cut: bool) -> Trial:
        """Return what the graph with these layers in float is worth on ONNX Runtime."""
        graph = self.graph(kept, is_cut)
        share = self.arithmetic(graph, "onnx").share
        for_onnx_runtime(graph)
        with tempfile.TemporaryDirectory(prefix="isoform-quantize.") as folder:
            path = Path(folder) / "model.onnx"
            hub_graph.save(graph, path)
            size = sum(each.stat().st_size for each in Path(folder).iterdir())
            session = calibration.session_of(path)
            teacher = self._taught()
            found = answers(session, self._samples)
            ratio = self._time_ratio(session)
        agreement, at_least, passed = self._judge(teacher, found)
        return Trial(tuple(kept), is_cut, size, share, agreement, at_least, decibels(teacher, found), ratio, passed)

    def arithmetic(self, graph: ir.Model, format_name: str) -> Arithmetic:
        """Return what a graph of `graph` computes at the sizes of the first sample."""
        return arithmetic(graph, format_name, {name: array.shape for name, array in self._first().items()})

    def _bounds(self, is_cut: bool) -> calibration.Bounds:
        if is_cut and self._cut is None:
            self._cut = calibration.without_tails(self.model, self._extremes, self._samples, self._progress)
        return self._cut if is_cut and self._cut is not None else self._extremes

    def _first(self) -> Tensors:
        return next(iter(self._samples()))

    def _taught(self) -> list[Tensors]:
        if self._teacher is None:
            with calibration.opened(self.model) as session:
                self._teacher = answers(session, self._samples)
        return self._teacher

    def _time_ratio(self, session: onnxruntime.InferenceSession) -> float:
        """Return the median of paired times, in turn, over the float graph's; a hint on a machine that does more."""
        sample = dict(self._first())
        with calibration.opened(self.model) as other:
            times = [[_seconds(each, sample) for each in (session, other)] for _ in range(_ROUNDS)]
        return float(np.median([one / two for one, two in times]))


def without_samples(model: ir.Model, kept: Collection[str], highest: int = UNSATURATED) -> ir.Model:
    """Return a prepared graph with its weights alone in integers, for any format."""
    own = model.clone()
    dynamic.store_layers(own.graph, kept, highest)
    static.store_rest(own.graph, kept, highest)
    return _clean(own)


def answers(session: onnxruntime.InferenceSession, samples: Samples) -> list[Tensors]:
    """Return the outputs for each sample, by name."""
    names = [output.name for output in session.get_outputs()]
    return [dict(zip(names, session.run(names, dict(sample)), strict=True)) for sample in samples()]


def decibels(teacher: Sequence[Tensors], found: Sequence[Tensors]) -> float:
    """Return how far the float outputs are above what integers add to them, over all samples."""
    signal = noise = 0.0
    for one, other in zip(teacher, found, strict=True):
        for name, array in one.items():
            if array.dtype.kind == "f":
                wide = array.astype(np.float64)
                signal += float(np.square(wide).sum())
                noise += float(np.square(other[name] - wide).sum())
    return float(10 * np.log10(signal / noise)) if signal > 0 and noise > 0 else float("inf")


def _seconds(session: onnxruntime.InferenceSession, sample: Mapping[str, np.ndarray]) -> float:
    begin = time.perf_counter()
    session.run(None, sample)
    return time.perf_counter() - begin


def _clean(model: ir.Model) -> ir.Model:
    common.RemoveUnusedNodesPass()(model)
    return model
