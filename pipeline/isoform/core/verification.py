"""What verify found out about one model: a record a runtime, and the verdict that stands for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoform.core.parity import ParityRecord, worst


@dataclass(frozen=True)
class Verification:
    """One artifact or model file.

    Attributes:
        path: what was verified, as the command was given it.
        size_bytes: the model on disk, external data included.
        versions: of the packages that wrote the artifact; empty for a file that nobody knows the origin of.
        of_store: what people are told where all this was found out before; empty where it was now.
    """

    path: Path
    records: tuple[ParityRecord, ...]
    size_bytes: int
    versions: Mapping[str, str]
    of_store: str = ""

    @property
    def verdict(self) -> str:
        return worst(self.records)

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "verdict": self.verdict,
            "size_bytes": self.size_bytes,
            "reused": self.of_store or None,
            "parity": [record.to_json() for record in self.records],
        }
