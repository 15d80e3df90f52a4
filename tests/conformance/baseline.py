"""docs/conformance: what every case came to when the tables were last written, and what has changed since."""

import json
from collections.abc import Mapping
from pathlib import Path

from conformance.verdicts import REFUSED, RIGHT, WRONG, Verdict

DOCS = Path(__file__).parents[2] / "docs" / "conformance"
YARDSTICK = "onnxruntime"


def read(target: str) -> dict[str, Verdict]:
    """Return the verdicts on record; none where there is no table yet."""
    path = DOCS / f"{target}.json"
    if not path.is_file():
        return {}
    return {name: Verdict(*entry) for name, entry in json.loads(path.read_text())["cases"].items()}


def passed_by_yardstick() -> set[str]:
    """Return the cases that ONNX Runtime passes: those that count."""
    return {name for name, verdict in read(YARDSTICK).items() if verdict.word == RIGHT}


def write(target: str, versions: Mapping[str, str], verdicts: Mapping[str, Verdict]) -> None:
    """Write the record of ``target``, one line a case."""
    DOCS.mkdir(parents=True, exist_ok=True)
    lines = [
        f"  {json.dumps(name)}: {json.dumps([verdict.word, verdict.reason] if verdict.reason else [verdict.word])}"
        for name, verdict in verdicts.items()
    ]
    text = f'{{"versions": {json.dumps(dict(versions))}, "cases": {{\n' + ",\n".join(lines) + "\n}}\n"
    (DOCS / f"{target}.json").write_text(text)


def regressions(known: Mapping[str, Verdict], found: Mapping[str, Verdict]) -> dict[str, str]:
    """Return what must not happen: a case that was right and is not, or one that is wrong now and was not before."""
    worse = {}
    for name, verdict in found.items():
        before = known.get(name)
        was_right = before is not None and before.word == RIGHT
        is_new_wrong = verdict.word == WRONG and (before is None or before.word in (RIGHT, REFUSED))
        if (was_right and verdict.word != RIGHT) or is_new_wrong:
            worse[name] = f"{verdict.word}: {verdict.reason}"
    return worse


def improvements(known: Mapping[str, Verdict], found: Mapping[str, Verdict]) -> list[str]:
    """Return the cases that are right now and were not."""
    return [name for name, verdict in found.items() if verdict.word == RIGHT and known.get(name, verdict).word != RIGHT]
