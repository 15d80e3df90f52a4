"""What came of one format in one precision: the record that ``isoform convert --json`` prints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoform.core.artifact import size_bytes
from isoform.core.parity import FAIL, Gate
from isoform.core.precision import FP32, label
from isoform.errors import RESULT_FAILED, IsoformError, from_json


@dataclass(frozen=True)
class Attempt:
    """A route that was tried and left, and why."""

    route: tuple[str, ...]
    error: IsoformError

    def to_json(self) -> dict[str, Any]:
        return {"route": list(self.route), "error": self.error.to_json()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Attempt":
        return cls(tuple(record["route"]), from_json(record["error"]))


@dataclass(frozen=True)
class Result:
    """What came of one format of one source in one precision.

    Attributes:
        name: what the model is called.
        framework: what the source is: torch, keras, onnx ...
        format: what it was converted to.
        status: "passed", "failed" or "unverified".
        path: the artifact's folder; None where nothing was published.
        model: what a runtime opens.
        route: the converters that it went through, in order.
        tried: the routes that were left before, and why.
        parity: the verification records, by runtime.
        verdict: the most severe of them: PASS, WARN, FAIL, INCONCLUSIVE, NOT VERIFIED or ERROR.
        peak_rss_bytes: the highest resident memory of a step.
        error: what went wrong and what to do, where the status is "failed".
        is_reused: an unchanged earlier result; nothing was run.
        profile: what the target does not allow of it, where one was named.
    """

    name: str
    framework: str
    format: str
    status: str
    path: Path | None = None
    model: Path | None = None
    route: tuple[str, ...] = ()
    tried: tuple[Attempt, ...] = ()
    parity: dict[str, Any] = field(default_factory=dict)
    verdict: str = "NOT VERIFIED"
    seconds: float = 0.0
    peak_rss_bytes: int = 0
    error: IsoformError | None = None
    is_reused: bool = False
    precision: str = FP32
    profile: Gate | None = None

    @property
    def label(self) -> str:
        """What the variant is called: its format, and its precision where that is not float32."""
        return label(self.format, self.precision)

    @property
    def size_bytes(self) -> int | None:
        """What the model takes on disk; None where nothing was published."""
        return size_bytes(self.model) if self.model is not None else None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "framework": self.framework,
            "format": self.format,
            "precision": self.precision,
            "status": self.status,
            "verdict": self.verdict,
            "path": str(self.path) if self.path else None,
            "model": str(self.model) if self.model else None,
            "route": list(self.route),
            "tried": [attempt.to_json() for attempt in self.tried],
            "parity": self.parity,
            "size_bytes": self.size_bytes,
            "seconds": round(self.seconds, 3),
            "peak_rss_bytes": self.peak_rss_bytes,
            "reused": self.is_reused,
            "profile": self.profile.to_json() if self.profile else None,
            "error": self.error.to_json() if self.error else None,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Result":
        """Return the result that `to_json` described."""
        return cls(
            record["name"],
            record["framework"],
            record["format"],
            record["status"],
            Path(record["path"]) if record["path"] else None,
            Path(record["model"]) if record["model"] else None,
            tuple(record["route"]),
            tuple(map(Attempt.from_json, record["tried"])),
            record["parity"],
            record["verdict"],
            record["seconds"],
            record["peak_rss_bytes"],
            from_json(record["error"]) if record["error"] else None,
            record["reused"],
            record["precision"],
            Gate.from_json(record["profile"]) if record["profile"] else None,
        )

    @property
    def exit_code(self) -> int:
        """0 where it stands, 1 where the numbers differ or the profile refuses it, else what the error asks for."""
        if self.status != "failed":
            return RESULT_FAILED if self.profile is not None and self.profile.verdict == FAIL else 0
        return 1 if self.path is not None or self.error is None else self.error.exit_code
