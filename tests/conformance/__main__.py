"""``python -m conformance [TARGET...]``: run the cases, and compare with what is checked in or write it anew."""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from conformance import baseline, known, page, pool, suite
from conformance.targets import TARGETS
from conformance.verdicts import RIGHT, WORDS, Verdict

_MOST_LISTED = 40
_JOBS = min(os.cpu_count() or 1, 8)
"""A process of TensorFlow's takes up to 900 MB."""
_LISTS = {
    "regressions": "REGRESSION",
    "wrong": "WRONG",
    "stale": "known as wrong, and right",
    "newly_right": "newly right",
}
"""What is told of a target, the worst first. The first two end in exit code 1."""


def main() -> int:
    arguments = _arguments()
    names = [name for name in suite.names() if _is_asked_for(name, arguments.filter)]
    if not names:
        sys.exit(f"no case has a name, or an operator, that matches '{arguments.filter}'")
    record = {}
    with tempfile.TemporaryDirectory(prefix="conformance.") as folder:
        suite.pack(names, Path(folder))
        for target in arguments.targets or TARGETS:
            found = _run(target, names, Path(folder), arguments.jobs)
            record[target] = _settled(target, found, arguments)
    if arguments.json:
        print(json.dumps(record, indent=1))
    return int(any(entry["regressions"] or entry["wrong"] for entry in record.values()) and not arguments.update)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="conformance", description="ONNX' own backend tests through each emitter.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of: {', '.join(TARGETS)}; default: all")
    parser.add_argument("--filter", metavar="REGEX", help="only cases whose name holds it, or whose operator it is")
    parser.add_argument("--jobs", type=int, default=_JOBS, metavar="N", help="processes; default: %(default)s")
    parser.add_argument("--update", action="store_true", help="write docs/conformance/ anew instead of comparing")
    parser.add_argument("--json", action="store_true", help="print one JSON document, nothing else, to stdout")
    parser.add_argument("--list", action="store_true", help="print every case that is not right, not only what changed")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.targets if name not in TARGETS]
    if unknown:
        parser.error(f"there is no target '{unknown[0]}'; one of: {', '.join(TARGETS)}")
    return arguments


def _is_asked_for(name: str, pattern: str | None) -> bool:
    return pattern is None or bool(re.search(pattern, name)) or suite.subject(name) == pattern


def _run(target: str, names: list[str], folder: Path, jobs: int) -> dict[str, Verdict]:
    started, words = time.monotonic(), Counter[str]()
    step = max(100, len(names) // 20)

    def report(_: str, verdict: Verdict) -> None:
        words[verdict.word] += 1
        done = words.total()
        if done % step == 0 or done == len(names):
            print(f"{target}: {done} of {len(names)}, {_counted(words)}", file=sys.stderr, flush=True)

    found = pool.run(target, names, folder, jobs, report)
    print(f"{target}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return found


def _settled(target: str, found: dict[str, Verdict], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what a run says about a target, after it has been printed and, if asked for, written."""
    before = baseline.read(target)
    changed = baseline.changes(before.verdicts, found)
    yardstick = found if target == baseline.YARDSTICK else baseline.read(baseline.YARDSTICK).verdicts
    passed = [name for name in found if yardstick.get(name, Verdict("")).word == RIGHT]
    entry = {
        "versions": baseline.versions(target),
        "totals": Counter(verdict.word for verdict in found.values()),
        "of_yardstick": {"cases": len(passed), **Counter(found[name].word for name in passed)},
        "regressions": {each.name: each.told() for each in changed if each.is_regression},
        "newly_right": sorted(each.name for each in changed if each.after.word == RIGHT),
        "wrong": known.unexplained(target, found),
        "stale": known.stale(target, found) if not arguments.filter else [],
        "cases": {name: [verdict.word, verdict.reason] for name, verdict in found.items()},
    }
    _say(target, entry, found if arguments.list else {})
    if arguments.update:
        _write(target, before, found)
    return entry


def _write(target: str, before: baseline.Baseline, found: dict[str, Verdict]) -> None:
    installed = baseline.versions(target)
    is_whole = set(found) >= set(suite.names())
    if not is_whole and before.versions != installed:
        sys.exit(f"{target}: with other versions than {before.versions} every case has to run: leave --filter out")
    verdicts = {name: verdict for name, verdict in before.verdicts.items() if name in suite.names()} | found
    baseline.write(target, baseline.Baseline(installed, verdicts))
    page.write()


def _say(target: str, entry: dict[str, Any], listed: dict[str, Verdict]) -> None:
    lines = [f"{target}: {entry['of_yardstick'].get(RIGHT, 0)} right of {entry['of_yardstick']['cases']} that ONNX"
             f" Runtime passes; of all: {_counted(entry['totals'])}"]  # fmt: skip
    lines += [f"  {name}: {verdict}" for name, verdict in listed.items() if verdict.word != RIGHT]
    for key, title in _LISTS.items():
        found = [f"{name}: {text}" for name, text in entry[key].items()] if isinstance(entry[key], dict) else entry[key]
        lines += [f"  {title}: {text}" for text in found[:_MOST_LISTED]]
        lines += [f"  {title}: and {len(found) - _MOST_LISTED} more"] if len(found) > _MOST_LISTED else []
    print("\n".join(lines), file=sys.stderr, flush=True)


def _counted(words: Counter[str]) -> str:
    return ", ".join(f"{words[word]} {word}" for word in WORDS if words[word])


if __name__ == "__main__":
    sys.exit(main())
