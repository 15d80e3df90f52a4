"""What is said of the first operator that differs: where it stands, by how much, and what may be wrong with it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MEANING, EXECUTION = "meaning", "execution"
"""What differs: the function that the file describes, or how its runtime computes it."""


@dataclass(frozen=True)
class Divergence:
    """The first operator whose inputs agree and whose output does not.

    Attributes:
        kind: `MEANING` or `EXECUTION`.
        operator: its name and type in the file; operators: all of them where only several together have a counterpart.
        counterpart: the operator of the reference that gives the same tensor; "" where it is the file's own graph.
        counterparts: all operators of the reference that do together what `operators` should.
        attributes: what the operator says of itself.
        line: of the source, where the exporter noted it.
        ratio: R_rms at its output, by the formulas of the gates.
        own: the same if it is given the reference's inputs; inherited: what its own inputs bring along, likewise.
        limit: of the gate that the ratio is held against.
        cause: what explains it, in words; "" where nothing tried does.
        outputs: whether outputs of the model show it.
        others: other operators that differ by themselves.
        files: what was left behind: the part of the file, its inputs, and repro.py.
    """

    kind: str
    operator: str
    operators: tuple[str, ...]
    counterpart: str
    counterparts: tuple[str, ...]
    attributes: Mapping[str, Any]
    line: str
    ratio: float
    own: float
    inherited: float
    limit: float
    cause: str = ""
    outputs: bool = True
    others: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the record; infinity, which JSON does not have, as null."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value)
            else list(value) if isinstance(value, tuple) else value
            for key, value in vars(self).items()
        }  # fmt: skip

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Divergence":
        found: dict[str, Any] = {
            key: math.inf if value is None else tuple(value) if isinstance(value, list) else value
            for key, value in record.items()
        }
        return cls(**found)

    @property
    def is_unseen(self) -> bool:
        """Tell whether it was found by a weight alone: what the operator gives is within the limit."""
        return self.ratio <= self.limit

    def lines(self) -> list[str]:
        """Return the answer as text."""
        against = f", in the reference {self.counterpart}" if self.counterpart else ""
        text = [
            f"first differs at {self.operator}{against}",
            f"  R_rms {self.ratio:.3g} (limit {self.limit:g}); by itself {self.own:.3g}, "
            f"inherited {self.inherited:.3g}",
        ]
        text += [f"  source: {self.line}"] if self.line else []
        text += [f"  together with: {', '.join(self.operators)}"] if len(self.operators) > 1 else []
        text += [f"  suspected: {self.cause}"] if self.cause else []
        text += ["  nothing computed shows it on these cases: it is a weight that differs"] if self.is_unseen else []
        text += ["  no output of the model shows it on these cases"] if not (self.outputs or self.is_unseen) else []
        text += [f"  so do, by themselves: {', '.join(self.others)}"] if self.others else []
        text += [f"  to see it: python {self.files[0]}"] if self.files else []
        return text


@dataclass(frozen=True)
class Explanation:
    """Of one artifact: the divergence, or why there is none to show.

    Attributes:
        reference: the file that it was compared with, "" for its own graph alone.
        notes: how it was asked.
        asked: which of `MEANING` and `EXECUTION` was asked of every operator.
        obstacles: what could not be asked, and why: without a divergence nothing is said of the file then.
    """

    path: str
    reference: str
    divergence: Divergence | None
    notes: Sequence[str] = field(default_factory=tuple)
    asked: Sequence[str] = field(default_factory=tuple)
    obstacles: Sequence[str] = field(default_factory=tuple)

    def lines(self) -> list[str]:
        """Return the answer as text; that no operator differs is said only where all there is was asked of each."""
        means, runs = MEANING in self.asked, EXECUTION in self.asked
        if self.divergence is not None:
            text = [*self.divergence.lines(), *(f"  not explained: {each}" for each in self.obstacles)]
        elif self.obstacles or not self.asked:
            text = [f"not explained: {each}" for each in self.obstacles or ("nothing could be asked",)]
            text += ["  no operator means something else than its reference"] if means else []
            text += ["  no operator is computed too inexactly"] if runs else []
        elif means and runs:
            text = ["no operator differs"]
        elif means:
            text = ["no operator means something else than its reference; how they are computed was not asked"]
        else:
            text = ["no operator is computed too inexactly; what they mean was not asked"]
        return text + [f"  {note}" for note in self.notes]

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "reference": self.reference,
            "divergence": self.divergence.to_json() if self.divergence else None,
            "notes": list(self.notes),
            "asked": list(self.asked),
            "obstacles": list(self.obstacles),
        }
