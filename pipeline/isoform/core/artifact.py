"""One model in one format on disk, and the record that travels with it (``artifact.json``).

The on-disk layout is specified in exports/README.md. Not aware of how a model is written or run.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isoform.core.format import files_of
from isoform.core.precision import FP32
from isoform.core.signature import Signature
from isoform.errors import IsoformError

RECORD_NAME = "artifact.json"
CASES_NAME = "cases.npz"
SCHEMA_VERSION = 1


_PUBLISHED = "isoform.hub.published:build"


@dataclass(frozen=True)
class Architecture:
    """The code that builds a network whose checkpoint holds weights only.

    Attributes:
        root: the folder that stands first on the child's import path; None for code that is installed.
        factory: ``module:callable``, or ``folder/file.py:callable`` relative to root.
        arguments: keyword arguments of the callable; JSON values.
    """

    root: Path | None
    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def published(cls, library: str, config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> "Architecture":
        """Return the network that a public library builds from a configuration."""
        return cls(None, _PUBLISHED, {"library": library, "config": config, "preprocessor": preprocessor})

    @property
    def is_published(self) -> bool:
        """Whether a public library builds it; its inputs then follow from the configuration."""
        return self.factory == _PUBLISHED

    def to_json(self) -> dict[str, Any]:
        root = str(self.root) if self.root else None
        return {"root": root, "factory": self.factory, "arguments": dict(self.arguments)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Architecture":
        root = Path(record["root"]) if record["root"] else None
        return cls(root, record["factory"], record["arguments"])


@dataclass(frozen=True)
class Artifact:
    """A model in one format.

    Attributes:
        model: what a runtime opens: a file, or a folder for SavedModel.
        architecture: the code behind a weights-only checkpoint; None where the file holds the network too.
        tokenizer: the tokenizer.json that turns text into this model's ids, if it has one.
        entry: the signature that is meant, of a SavedModel or TFLite file; None for its default one.
        precision: a name of core/precision.py: what it stores and computes in.
    """

    format: str
    model: Path
    signature: Signature
    architecture: Architecture | None = None
    tokenizer: Path | None = None
    entry: str | None = None
    precision: str = FP32

    def to_json(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "model": str(self.model),
            "signature": self.signature.to_json(),
            "architecture": self.architecture.to_json() if self.architecture else None,
            "tokenizer": str(self.tokenizer) if self.tokenizer else None,
            "entry": self.entry,
            "precision": self.precision,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Artifact":
        architecture, tokenizer = record.get("architecture"), record.get("tokenizer")
        return cls(
            record["format"],
            Path(record["model"]),
            Signature.from_json(record["signature"]),
            Architecture.from_json(architecture) if architecture else None,
            Path(tokenizer) if tokenizer else None,
            record.get("entry"),
            record.get("precision", FP32),
        )

    def moved_to(self, model: Path) -> "Artifact":
        return replace(self, model=model)


def read_record(folder: Path) -> dict[str, Any]:
    """Return the ``artifact.json`` of a published artifact folder.

    Raises:
        IsoformError: there is none, or it is not the record of an artifact.
    """
    path = folder / RECORD_NAME
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise IsoformError(
            f"{folder}: no {RECORD_NAME} here, so this is not a finished artifact.",
            "Export it again, or name the model file itself with --cases.",
            kind="not-an-artifact",
        ) from None
    except ValueError as error:
        raise IsoformError(
            f"{path}: not valid JSON ({error}).", "Export this artifact again.", kind="damaged"
        ) from error
    if not isinstance(record, dict) or record.get("schema_version") != SCHEMA_VERSION:
        raise IsoformError(
            f"{path}: written by another version of isoform.", "Export this artifact again.", kind="damaged"
        )
    return record


def open_artifact(folder: Path) -> Artifact:
    """Return the artifact that ``folder`` holds, its paths made absolute."""
    record = read_record(folder)
    tokenizer = record.get("tokenizer")
    return Artifact(
        record["format"],
        (folder / record["model"]).resolve(),
        Signature.from_json(record["signature"]),
        tokenizer=(folder / tokenizer).resolve() if tokenizer else None,
        precision=record.get("precision", FP32),
    )


def size_bytes(model: Path) -> int:
    """Return what the model takes on disk, with every file that belongs to it."""
    return sum(path.stat().st_size for path in files_of(model))
