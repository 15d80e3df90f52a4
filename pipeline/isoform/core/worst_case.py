"""The inputs at which a runtime was found to be furthest off, and how far that is."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorstCase:
    """What a search found.

    Attributes:
        tried: inputs that were run.
        begin: the largest R of the recorded cases; ratio: of the inputs that were found; limit: of gate 3.
        cases: the file that keeps them as a case with its references, for ``verify --cases``.
    """

    path: str
    runtime: str
    tried: int
    begin: float
    ratio: float
    limit: float
    cases: str

    @property
    def passed(self) -> bool:
        return self.ratio <= self.limit

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "passed": self.passed}

    def lines(self) -> list[str]:
        """Return it as text."""
        return [
            f"worst of {self.tried} inputs on {self.runtime}: R_rms {self.ratio:.3g} (limit {self.limit:.3g}), "
            f"{self.begin:.3g} among the recorded cases",
            f"  kept as a case: {self.cases}",
        ]
