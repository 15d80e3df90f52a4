"""The test of the test: which planted faults the cases of an artifact catch, at the thresholds in force."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isoform.core.parity import FAIL, PASS, WARN

SHARE = 0.95
"""Of the planted faults, how many the cases of an artifact have to catch."""


@dataclass(frozen=True)
class Planted:
    """One fault.

    Attributes:
        place: where it was planted and how.
        verdict: of the copy that holds it; gates: those that failed.
    """

    fault: str
    place: str
    verdict: str
    gates: tuple[str, ...]

    @property
    def is_caught(self) -> bool:
        """Tell whether nobody would have taken the copy for the artifact."""
        return self.verdict not in (PASS, WARN)

    def to_json(self) -> dict[str, Any]:
        return {"fault": self.fault, "place": self.place, "verdict": self.verdict, "gates": list(self.gates),
                "caught": self.is_caught}  # fmt: skip

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Planted":
        return cls(str(record["fault"]), str(record["place"]), str(record["verdict"]), tuple(record["gates"]))


@dataclass(frozen=True)
class SelfTest:
    """All faults planted in copies of one artifact.

    Attributes:
        control: the verdict of a copy without any fault; unless it passes, a caught fault proves nothing.
        reason: why there is no test, where there is none.
    """

    runtime: str
    control: str
    planted: tuple[Planted, ...]
    reason: str = ""

    @property
    def caught(self) -> int:
        return sum(each.is_caught for each in self.planted)

    @property
    def is_strong(self) -> bool:
        """Tell whether a copy without a fault passes and nearly none with one does; true where nothing was tested."""
        if self.reason:
            return True
        return self.control in (PASS, WARN) and self.caught >= SHARE * len(self.planted)

    @property
    def told(self) -> str:
        """One line for people."""
        if self.reason:
            return f"no self-test: {self.reason}"
        if self.control not in (PASS, WARN):
            return f"a copy without any fault is {self.control}: what is caught proves nothing"
        return f"self-test: {self.caught} of {len(self.planted)} planted faults caught on {self.runtime}"

    def to_json(self) -> dict[str, Any]:
        return {
            "runtime": self.runtime,
            "control": self.control,
            "caught": self.caught,
            "planted": [each.to_json() for each in self.planted],
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "SelfTest":
        planted = tuple(Planted.from_json(each) for each in record["planted"])
        return cls(str(record["runtime"]), str(record["control"]), planted, str(record["reason"]))


def failed_gates(gates: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the gates that failed."""
    return tuple(name for name, gate in gates.items() if gate.verdict == FAIL)
