"""The verdicts that are checked in, one file a target under docs/conformance/, and what has changed since."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from conformance.targets import TARGETS
from conformance.verdicts import RIGHT, Verdict

DOCS = Path(__file__).parents[2] / "docs" / "conformance"
YARDSTICK = "onnxruntime"


@dataclass
class Baseline:
    """What is known of one target.

    Attributes:
        versions: of the packages that the verdicts depend on.
        verdicts: of every case, by its name.
    """

    versions: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """A case whose verdict is not the one that is checked in."""

    name: str
    before: Verdict
    after: Verdict

    @property
    def is_regression(self) -> bool:
        return self.before.word == RIGHT != self.after.word

    def told(self) -> str:
        """Return both verdicts in words."""
        return f"was {self.before}, is {self.after}"


def path(target: str) -> Path:
    """Return where the verdicts of a target stand."""
    return DOCS / f"{target}.json"


def read(target: str) -> Baseline:
    """Return what is checked in for a target; without any verdict if nothing is."""
    if not path(target).is_file():
        return Baseline()
    record = json.loads(path(target).read_text())
    verdicts = {name: Verdict(*(text if isinstance(text, list) else [text])) for name, text in record["cases"].items()}
    return Baseline(record["versions"], verdicts)


def write(target: str, baseline: Baseline) -> None:
    """Write the verdicts of a target, a line a case: a change of one is a change of one line."""
    cases = {name: _json(verdict) for name, verdict in sorted(baseline.verdicts.items())}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(text)}" for name, text in cases.items())
    DOCS.mkdir(parents=True, exist_ok=True)
    path(target).write_text(f'{{"versions": {json.dumps(baseline.versions)}, "cases": {{\n{lines}\n}}}}\n')


def versions(target: str) -> dict[str, str]:
    """Return the installed versions of the packages that a target's verdicts depend on."""
    return {package: metadata.version(package) for package in ("onnx", *TARGETS[target].packages)}


def changes(before: Mapping[str, Verdict], after: Mapping[str, Verdict]) -> list[Change]:
    """Return the cases whose verdict is another word than before; a case that is new was nothing."""
    known = {name: before.get(name, Verdict("not there")) for name in after}
    return [Change(name, known[name], after[name]) for name in after if known[name].word != after[name].word]


def _json(verdict: Verdict) -> Any:
    return [verdict.word, verdict.reason] if verdict.reason else verdict.word
