"""Stand-ins for a runtime: a session that computes with a function of arrays, for tests without a framework."""

from collections.abc import Callable, Mapping

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Bound, RunOptions
from isoform.core.signature import Signature
from isoform.errors import IsoformError

Function = Callable[[Mapping[str, Array]], Mapping[str, Array]]


class FakeSession:
    """A session with this signature that answers with ``function``; it keeps what it was given in ``calls``."""

    def __init__(self, signature: Signature, function: Function) -> None:
        self.signature = signature
        self._function = function
        self.calls: list[Mapping[str, Array]] = []
        self.is_closed = False

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return what the function answers, in signature order, as arrays that the caller owns."""
        return self.bind(inputs).answer()

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs as they are; each run is kept in ``calls``."""

        def answer() -> Mapping[str, Array]:
            self.calls.append(inputs)
            return self._function(inputs)

        return Bound.of(answer, lambda found: {spec.name: found[spec.name].copy() for spec in self.signature.outputs})

    def close(self) -> None:
        self.is_closed = True


class FakeRuntime:
    """A runtime on the CPU that opens every artifact as a `FakeSession` with the artifact's own signature.

    Args:
        weights: what it says that a file holds.
    """

    def __init__(self, function: Function, weights: Mapping[str, Array] | None = None) -> None:
        self._function = function
        self._weights = dict(weights or {})

    def load(self, artifact: Artifact, options: RunOptions) -> FakeSession:
        """Return a session.

        Raises:
            IsoformError: another device than the CPU is asked for.
        """
        if options.device != "cpu":
            raise IsoformError("The fake runs on the CPU.", "Leave out the device.", kind="no-device")
        return FakeSession(artifact.signature, self._function)

    def weights(self, artifact: Artifact) -> dict[str, Array]:
        return {name: array.copy() for name, array in self._weights.items()}
