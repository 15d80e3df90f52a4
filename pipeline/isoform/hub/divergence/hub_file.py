"""A file that is read as the hub graph, with a runtime that opens it: ONNX and TFLite."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.cases import Array
from isoform.core.numerics import UNIT_ROUNDOFF
from isoform.core.protocols import Perturbation, Session
from isoform.hub.divergence import cut
from isoform.hub.divergence.file import Observed
from isoform.hub.divergence.observed import observed
from isoform.hub.divergence.traced import Step, Traced
from isoform.hub.divergence.values import Evaluation

Load = Callable[[Artifact], Session]
"""Opens a file in the runtime in question, as it is verified there."""


class HubFile:
    """A file whose graph PyTorch evaluates."""

    def __init__(self, traced: Traced, load: Load) -> None:
        self.traced, self._load = traced, load
        self.form = traced.artifact.format
        self.steps, self.inputs, self.outputs = traced.steps, traced.inputs, traced.outputs
        self.exact = Evaluation(traced.model, is_float64=True)
        self.single = Evaluation(traced.model, is_float64=False)
        roundoff = Perturbation(0, UNIT_ROUNDOFF["float32"])
        self.disturbed = Evaluation(traced.model, is_float64=True, perturbation=roundoff)

    @property
    def makers(self) -> Mapping[str, Step]:
        """By tensor, the step that gives it."""
        return self.traced.makers

    @contextmanager
    def run(self) -> Iterator[Observed]:
        """Open the whole file."""
        session = self._load(self.traced.artifact)
        try:
            yield session.run
        finally:
            session.close()

    @contextmanager
    def observed(self, names: Sequence[str]) -> Iterator[Observed]:
        """Open it with its tensors shown."""
        with observed(self.traced, names, self._load) as seen:
            yield seen

    def part(self, inputs: Sequence[str], output: str) -> tuple[Evaluation, Evaluation]:
        """Return what lies between."""
        graph = cut.between(self.traced, inputs, output)
        return Evaluation(graph, is_float64=True), Evaluation(graph, is_float64=False)

    def write(self, given: Mapping[str, Array], output: str, folder: Path) -> tuple[Path, dict[str, str]]:
        """Write a part."""
        return cut.write(self.traced, given, output, folder)

    def run_part(self, given: Mapping[str, Array], output: str, folder: Path) -> Array:
        """Return what the runtime gives for a part."""
        path, names = self.write(given, output, folder)
        session = self._load(Artifact(self.form, path, self.traced.artifact.signature))
        try:
            return session.run({names[name]: array for name, array in given.items()})[names[output]]
        finally:
            session.close()
