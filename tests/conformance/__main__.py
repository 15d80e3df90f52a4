"""Run the cases, compare with the tables in docs/conformance, or write them anew."""

import argparse
import json
import os
import sys
from importlib import metadata

from conformance import baseline, page, runner, suite
from conformance.targets import TARGETS
from conformance.verdicts import RIGHT, WRONG, Verdict

_PACKAGES = {
    "onnxruntime": ("onnx", "onnxruntime"),
    "torch": ("onnx", "torch"),
    "torchscript": ("onnx", "torch"),
    "tensorflow": ("onnx", "tensorflow"),
    "tensorflow_weights": ("onnx", "tensorflow"),
    "tflite": ("onnx", "ai-edge-litert"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of: {', '.join(TARGETS)}; default: all")
    parser.add_argument("--filter", default="", help="only cases with this in their name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="worker processes")
    parser.add_argument("--update", action="store_true", help="write docs/conformance anew")
    parser.add_argument("--json", action="store_true", help="print every verdict as one JSON document")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.targets if name not in TARGETS]
    if unknown:
        parser.error(f"there is no target '{unknown[0]}'; one of: {', '.join(TARGETS)}")
    if arguments.update and arguments.filter:
        parser.error("--update writes the whole table: leave out --filter")
    names = [name for name in suite.names() if arguments.filter in name]
    documents, is_worse = {}, False
    for target in arguments.targets or TARGETS:
        found = runner.run(target, names, arguments.jobs, lambda done, target=target: _show(target, done, len(names)))
        print(file=sys.stderr)
        documents[target] = {name: [verdict.word, verdict.reason] for name, verdict in found.items()}
        is_worse |= _reported(target, found)
        if arguments.update:
            _update(target, found)
    if arguments.json:
        print(json.dumps(documents, indent=1))
    return 1 if is_worse and not arguments.update else 0


def _show(target: str, done: int, total: int) -> None:
    print(f"\r{target}: {done} of {total}", end="", file=sys.stderr, flush=True)


def _reported(target: str, found: dict[str, Verdict]) -> bool:
    """Print what came of a target, and tell whether anything is worse than on record."""
    known = baseline.read(target)
    counted = baseline.passed_by_yardstick() & set(found)
    right = sum(found[name].word == RIGHT for name in counted)
    wrong = [name for name, verdict in found.items() if verdict.word == WRONG]
    print(f"{target}: {right} right of {len(counted)} that ONNX Runtime passes, {len(wrong)} wrong", file=sys.stderr)
    worse = baseline.regressions(known, found)
    for name, reason in worse.items():
        print(f"  WORSE {name}: {reason}", file=sys.stderr)
    better = baseline.improvements(known, found)
    if better:
        print(f"  better: {len(better)} cases, such as {', '.join(better[:3])}", file=sys.stderr)
    return bool(worse)


def _update(target: str, found: dict[str, Verdict]) -> None:
    versions = {name: metadata.version(name) for name in _PACKAGES[target]}
    baseline.write(target, versions, found)
    page.write(baseline.DOCS, target, versions, found, baseline.passed_by_yardstick())


if __name__ == "__main__":
    sys.exit(main())
