"""What a file offers that is asked how its runtime computes it: its operators, their exact values, and the runtime's.

One module a way to look into files: hub_file.py (ONNX, TFLite), script_file.py (TorchScript), saved_model_file.py.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from isoform.core.artifact import Artifact
from isoform.core.cases import Array, Tensors
from isoform.core.protocols import Session

Observed = Callable[[Tensors], Tensors]
"""Runs one case, and returns tensors by their names in the file."""


class Step(Protocol):
    """One operator of a file: what it reads that is computed, and what it gives that something reads."""

    @property
    def place(self) -> int: ...
    @property
    def op_type(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def inputs(self) -> tuple[str, ...]: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...
    @property
    def line(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, eq=False)
class Operator:
    """An operator as its own format has it.

    Attributes:
        weights: the names of the weights that it reads.
        line: of the source, as far as the file knows it.
    """

    place: int
    op_type: str
    title: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: tuple[str, ...] = ()
    line: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.title} ({self.op_type})"


class Values(Protocol):
    """A graph in one precision."""

    def values(self, case: Tensors, names: Collection[str]) -> dict[str, Array]:
        """Return the tensors called ``names`` of one case, as far as they exist."""


class File(Protocol):
    """A file, and the runtime that runs it.

    Attributes:
        form: its format.
        exact: its graph in float64; single: in float32, one operator after the other; disturbed: in float64, the
            weights changed by as much as rounding them would.
    """

    form: str

    @property
    def inputs(self) -> Sequence[str]: ...
    @property
    def outputs(self) -> Sequence[str]: ...
    @property
    def steps(self) -> Sequence[Step]: ...
    @property
    def exact(self) -> Values: ...
    @property
    def single(self) -> Values: ...
    @property
    def disturbed(self) -> Values: ...
    @property
    def makers(self) -> Mapping[str, Step]:
        """By tensor, the step that gives it."""

    def run(self) -> AbstractContextManager[Observed]:
        """Open the whole file in the runtime: it gives the outputs."""

    def observed(self, names: Sequence[str]) -> AbstractContextManager[Observed]:
        """Open it so that it gives the tensors called ``names`` as well as the runtime holds them."""

    def part(self, inputs: Sequence[str], output: str) -> tuple[Values, Values]:
        """Return what lies between some tensors and another, in float64 and in float32."""

    def write(self, given: Mapping[str, Array], output: str, folder: Path) -> tuple[Path, dict[str, str]]:
        """Write a part as a file of the same format, for inputs of just these shapes.

        Returns:
            Its path, and by tensor what its inputs and its output are called there.
        """

    def run_part(self, given: Mapping[str, Array], output: str, folder: Path) -> Array:
        """Return what the runtime gives for ``output`` if it computes nothing but what lies between."""


class RunFile:
    """What files share whose own runtime is asked: who makes a tensor, and a run of the whole as it is verified."""

    runs = 1
    """How often a case is run until the runtime has optimised what it runs; the last answer counts."""
    steps: Sequence[Operator]
    outputs: Sequence[str]

    def __init__(self, artifact: Artifact, load: Callable[[Artifact], Session]) -> None:
        self._artifact, self._load = artifact, load

    @property
    def makers(self) -> dict[str, Operator]:
        """By tensor, the operator that gives it."""
        return {name: step for step in self.steps for name in step.outputs}

    @contextmanager
    def run(self) -> Iterator[Observed]:
        """Open the whole file in the runtime, as it is verified."""
        session = self._load(self._artifact)
        names = [spec.name for spec in self._artifact.signature.outputs]

        def ran(case: Tensors) -> Tensors:
            found = [session.run(case) for _ in range(self.runs)][-1]
            return {own: found[name] for own, name in zip(self.outputs, names, strict=True)}

        try:
            yield ran
        finally:
            session.close()
