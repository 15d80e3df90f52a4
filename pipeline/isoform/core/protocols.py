"""What an adapter has to offer.

A module in converters/ or runtimes/ satisfies one of these; mypy and the contract tests check it. Nothing is inherited.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from isoform.core.artifact import Artifact
from isoform.core.placement import Placement
from isoform.core.signature import Signature

Array = npt.NDArray[Any]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Perturbation:
    """Every float weight w becomes w(1+d) with d uniform in ±magnitude, drawn anew for each seed.

    So does, where the runtime can reach it, what each layer gives.

    The same seed with the opposite magnitude is the mirrored disturbance, -d.
    """

    seed: int
    magnitude: float

    def draws(self) -> Callable[[tuple[int, ...]], Array]:
        """Return a function that gives the factors 1+d for one array after the other, by its shape."""
        rng = np.random.default_rng(self.seed)

        def factors(shape: tuple[int, ...]) -> Array:
            drawn = np.asarray(rng.uniform(-1, 1, shape))
            drawn *= self.magnitude  # in place, for the sake of layers that take gigabytes
            drawn += 1
            return drawn

        return factors


@dataclass(frozen=True)
class RunOptions:
    """How a runtime is asked to run.

    Attributes:
        device: "cpu" or "cuda"; a runtime that cannot have it raises, it never takes another.
        threads: intra-operator threads; 0 is all cores.
        is_optimised: False turns graph optimisation off where the runtime has such a thing.
        has_onednn: False leaves out oneDNN's kernels where a runtime can be told so after it has begun: libtorch.
        is_float64: weights upcast exactly and every operation in float64; only runtimes that have it offer it.
        perturbation: how the weights are disturbed.
        tf32: on CUDA, whether matrix products may round to TF32.
        has_exact_sums: True keeps ONNX Runtime from cutting sums of integer products off at sixteen bits, as it does on
            x86 processors without VNNI; it is slower for that, and users have to ask for it as well.
    """

    device: str = "cpu"
    threads: int = 0
    is_optimised: bool = True
    has_onednn: bool = True
    is_float64: bool = False
    perturbation: Perturbation | None = None
    tf32: bool = False
    has_exact_sums: bool = False


@dataclass(frozen=True)
class ConvertOptions:
    """How a converter is asked to write.

    Attributes:
        sizes: by dynamic dimension, sizes at which the source runs; where a dimension is missing, the usual ones.
    """

    sizes: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Steps:
    """How far apart the values of a quantised model's inputs and outputs stand, by name, where they do.

    A tensor of integers that stand for numbers has the step 1.
    """

    inputs: Mapping[str, float]
    outputs: Mapping[str, float]


@dataclass(frozen=True)
class Bound:
    """A session with one input set in place: what it takes to compute, apart from what it takes to copy.

    It holds until the session runs or is bound again.

    Attributes:
        run: computes once and returns when that is done; outputs stay where the runtime puts them.
        outputs: copies out what the last run gave, in signature order; the caller owns the arrays.
    """

    run: Callable[[], object]
    outputs: Callable[[], dict[str, Array]]

    @classmethod
    def of(cls, compute: Callable[[], Answer], fetch: Callable[[Answer], dict[str, Array]]) -> "Bound":
        """Return what is bound where a runtime answers with its outputs: ``fetch`` turns an answer into arrays."""
        answers: list[Answer] = []

        def run() -> None:
            answers[:] = (compute(),)

        return cls(run, lambda: fetch(answers[0]))

    def answer(self) -> dict[str, Array]:
        """Run once and return the outputs."""
        self.run()
        return self.outputs()


class Session(Protocol):
    """A loaded model. Inputs and outputs are numpy arrays by name, in the dtypes of the signature."""

    @property
    def signature(self) -> Signature:
        """The signature as the *file* has it: read back from the runtime, not copied from the request."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs in signature order; the caller owns the arrays."""

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return ``inputs`` put in place, as the runtime needs them, to be run any number of times.

        The arrays must stay as they are meanwhile.
        """

    def close(self) -> None:
        """Free what the runtime holds."""


class RuntimeModule(Protocol):
    """A module in runtimes/: how to open an artifact."""

    def load(self, artifact: Artifact, options: RunOptions) -> Session:
        """Open ``artifact``.

        Raises:
            IsoformError: the file does not open, or the device or precision asked for is not there.
        """


class WeightsModule(Protocol):
    """What a runtime module adds where its format's weights can be read: the parameters as they stand in the file."""

    def weights(self, artifact: Artifact) -> dict[str, Array]:
        """Return every float tensor stored in the file, by the name it has there."""


class SourceWeightsModule(WeightsModule, Protocol):
    """What a source's runtime adds where it can tell which parameters matter."""

    def unused(self, artifact: Artifact) -> list[str]:
        """Return the parameters that no output depends on: an export may leave them out."""

    def rows_read(self, artifact: Artifact) -> dict[str, list[int]]:
        """Return which rows of tables, all axes but the last, outputs depend on: an export may leave out the others."""


class StepsModule(Protocol):
    """What a source's runtime adds where its format holds quantised models."""

    def steps(self, artifact: Artifact) -> Steps | None:
        """Return the steps of inputs and outputs; None for a model that computes in numbers alone."""


class PlacementModule(Protocol):
    """What a runtime module adds where its engine tells which operators ran where."""

    def placement(self, artifact: Artifact, options: RunOptions, inputs: Mapping[str, Array]) -> Placement:
        """Return where the operators of ``artifact`` ran, in a session of its own.

        Raises:
            IsoformError: it cannot be told of this file.
        """


class ConverterModule(Protocol):
    """A module in converters/: one edge from one format to another."""

    def convert(self, source: Artifact, target: Path, options: ConvertOptions) -> None:
        """Write ``source`` as the model file or folder ``target``, which does not exist yet.

        Input and output names, order, dtypes and dynamic dimensions are those of ``source.signature``.

        Raises:
            IsoformError: this converter cannot carry the model; nothing half-written is left that looks finished.
        """
