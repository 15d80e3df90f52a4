"""Where an error comes from: stages that each change one thing, and the smallest change that would repair a failure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isoform.core.numerics import OutputFigures
from isoform.core.parity import FAIL, PASS, WARN

EAGER, GRAPH, UNOPTIMISED, OPTIMISED, TF32, HALF = (
    "framework", "exported graph", "runtime, not optimised", "runtime", "runtime, with TF32", "float16, estimated",
)  # fmt: skip
"""In the order in which they follow each other."""


@dataclass(frozen=True)
class Repair:
    """One change of how a file is run.

    Attributes:
        options: of `RunOptions`, as they are then.
        environment: what stands in the environment of the process, for what is read once in its life.
    """

    text: str
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def _usual(word: str) -> tuple[Repair, ...]:
    without = f"without {word}"
    return (
        Repair("1 thread", {"threads": 1}), Repair(without, {"is_optimised": False}),
        Repair(f"{without}, 1 thread", {"is_optimised": False, "threads": 1}),
    )  # fmt: skip


_SCRIPT = (
    *_usual("optimised execution"), Repair("without oneDNN", {"has_onednn": False}),
    Repair("without optimised execution, without oneDNN", {"is_optimised": False, "has_onednn": False}),
)  # fmt: skip
REPAIRS: Mapping[str, tuple[Repair, ...]] = {
    "ort-cpu": _usual("graph optimisation"), "ort-cuda": _usual("graph optimisation"), "litert": _usual("XNNPACK"),
    "torch-jit": _SCRIPT,
    "tf": (
        *_usual("graph optimisation"), Repair("without oneDNN", {}, {"TF_ENABLE_ONEDNN_OPTS": "0"}),
        Repair("without graph optimisation, without oneDNN", {"is_optimised": False}, {"TF_ENABLE_ONEDNN_OPTS": "0"}),
    ),
}  # fmt: skip
"""By runtime, the smallest first; what is not optimised is slower."""
NO_REPAIR = "none in how it is run: the graph itself is off; --explain names the operator"
NONE_FOUND = "none of those tried: less optimisation, one thread; --explain names the operator"
ONE_THREAD = (Repair("1 thread", {"threads": 1}),)
"""What can be tried of a runtime that has no more."""
ONCE = ("tf",)
"""Runtimes whose threads are set once in the life of a process: each repair has one of its own."""


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
