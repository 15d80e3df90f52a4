"""Where an error comes from: stages that each change one thing, and the smallest change that would repair a failure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isoform.core.numerics import OutputFigures
from isoform.core.parity import FAIL, PASS, WARN

EAGER, GRAPH, UNOPTIMISED, OPTIMISED, TF32, HALF = (
    "framework", "exported graph", "runtime, not optimised", "runtime", "runtime, with TF32", "float16, estimated",
)  # fmt: skip
"""In the order in which they follow each other."""


@dataclass(frozen=True)
class Stage:
    """One stage: figures of the output that is furthest off, or why it was not asked.

    Attributes:
        lost_bits: log2 of r_rms, at least 0; correct_bits: -log2(error / RMS of the reference).
    """

    name: str
    verdict: str
    r_rms: float = 0.0
    lost_bits: float = 0.0
    correct_bits: float = 0.0
    reason: str = ""

    @classmethod
    def of(cls, name: str, outputs: Sequence[OutputFigures]) -> "Stage":
        """Return the stage with these figures, one an output."""
        worst = max(outputs, key=lambda figures: figures.r_rms)
        verdicts = {figures.verdict for figures in outputs}
        verdict = next((word for word in (FAIL, "INCONCLUSIVE", WARN) if word in verdicts), PASS)
        return cls(name, verdict, worst.r_rms, worst.lost_bits, worst.correct_bits)

    def to_json(self) -> dict[str, Any]:
        """Return the record; infinity, which JSON does not have, as null."""
        return {
            key: None if isinstance(value, float) and math.isinf(value) else value for key, value in vars(self).items()
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Stage":
        found: dict[str, Any] = {key: math.inf if value is None else value for key, value in record.items()}
        return cls(**found)

    def __str__(self) -> str:
        if self.reason:
            return f"{self.name:<24} {self.reason}"
        return f"{self.name:<24} {self.verdict:<5} R_rms {self.r_rms:<8.3g} {self.lost_bits:.1f} bits lost, " \
               f"{self.correct_bits:.1f} correct"  # fmt: skip


@dataclass(frozen=True)
class Ledger:
    """The stages of one artifact on one runtime.

    Attributes:
        repair: the smallest change after which it passes; "" where nothing fails, or nothing that was tried repairs it.
        kept: what to keep in float32 where float16 is not enough, in words; "" where it is.
    """

    path: str
    runtime: str
    stages: tuple[Stage, ...]
    repair: str = ""
    kept: str = ""

    def to_json(self) -> dict[str, Any]:
        stages = [stage.to_json() for stage in self.stages]
        return {"path": self.path, "runtime": self.runtime, "stages": stages, "repair": self.repair, "kept": self.kept}

    def lines(self) -> list[str]:
        """Return the ledger as text."""
        text = [f"where the error comes from, on {self.runtime}:", *(f"  {stage}" for stage in self.stages)]
        text += [f"  repair: {self.repair}"] if self.repair else []
        text += [f"  in float16: {self.kept}"] if self.kept else []
        return text
