"""What failures have in common: many jobs that fail for one cause are one row.

Names, paths and numbers differ from job to job; what is left of a message without them is its signature.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_PATH = re.compile(r"(?<![\w<])(?:~|\.{1,2})?(?:/[^\s:,;]+)+|\b[\w.-]+/[^\s:,;]+")
_FILE = re.compile(r"\b[\w-]+(?:\.[\w-]+)*\.(?:onnx|tflite|ts|pt2?|pth|keras|h5|safetensors|bin|xml|pte|ort|npz|py)\b")
_NUMBER = re.compile(r"(?<![A-Za-z_])-?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Failure:
    """What went wrong with one thing.

    Attributes:
        subject: what it concerns, for people.
    """

    subject: str
    kind: str
    message: str
    hint: str

    @property
    def signature(self) -> str:
        """The message without what differs from one subject to the next."""
        return signature(self.kind, self.message)


@dataclass(frozen=True)
class Cause:
    """Failures of one signature; the first one's words stand for all."""

    signature: str
    failures: tuple[Failure, ...]

    def to_json(self) -> dict[str, Any]:
        first = self.failures[0]
        return {
            "signature": self.signature, "kind": first.kind, "example": first.message, "hint": first.hint,
            "count": len(self.failures), "subjects": [failure.subject for failure in self.failures],
        }  # fmt: skip


def signature(kind: str, message: str) -> str:
    """Return ``kind: message`` with names in quotes as '...', paths and files as PATH and numbers as N."""
    plain = _QUOTED.sub("'...'", message)
    plain = _FILE.sub("PATH", _PATH.sub("PATH", plain))
    return f"{kind}: {' '.join(_NUMBER.sub('N', plain).split())}"


def causes(failures: Iterable[Failure]) -> list[Cause]:
    """Return one cause for each signature, the most frequent first."""
    by_signature: dict[str, list[Failure]] = {}
    for failure in failures:
        by_signature.setdefault(failure.signature, []).append(failure)
    found = [Cause(text, tuple(each)) for text, each in by_signature.items()]
    return sorted(found, key=lambda cause: -len(cause.failures))
