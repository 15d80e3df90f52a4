"""What a file offers that is asked how its runtime computes it: its operators, their exact values, and the runtime's.

One module a way to look into files: hub_file.py (ONNX, TFLite), script_file.py (TorchScript), saved_model_file.py.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from isoform.core.cases import Array, Tensors

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
