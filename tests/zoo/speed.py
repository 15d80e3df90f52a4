"""How fast the TFLite files run: ours beside litert-torch's of the same network, in alternating blocks, one thread."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo import interpreters
from zoo.entry import Entry
from zoo.results import Results
from zoo.source import SUFFIXES

_LIMIT_S = 600.0


def measure(entries: Sequence[Entry], results: Results, peer_python: str | None, is_forced: bool) -> None:
    """Time each architecture whose TFLite file passes and that has no time yet."""
    for place, entry in enumerate(entries, 1):
        row = results.conversions.get(f"{entry.name} > tflite", {})
        known = results.speed.get(entry.name, {})
        is_known = bool(known) and (not peer_python or "peer" in known or entry.framework == "keras")
        if row.get("status") != "passed" or (is_known and not is_forced):
            continue
        found = _measured(entry, peer_python if entry.framework == "torch" else None)
        results.add_speed({"model": entry.name, **found})
        ratio = found.get("error") or found.get("ratio") or f"{found['ms']:.2f} ms"
        print(f"[{place}/{len(entries)}] {entry.name}: {ratio}", file=sys.stderr, flush=True)


def _measured(entry: Entry, peer_python: str | None) -> dict[str, Any]:
    work = Path(tempfile.mkdtemp(prefix="isoform-zoo."))
    try:
        checkpoint = work / f"{entry.name}{SUFFIXES[entry.framework]}"
        interpreters.run("zoo.source", entry.name, str(checkpoint), timeout_s=_LIMIT_S)
        ours = interpreters.run("zoo.attempt", entry.name, str(checkpoint), str(work), "tflite", timeout_s=_LIMIT_S)[0]
        model = work / entry.name / "tflite" / "model.tflite"
        if not model.is_file():
            return {"error": ours.get("error", "no file came out")}
        found = {
            "seconds": ours["steps"].get("onnx_to_tflite"), "operators": ours["operators"],
            "transposes": ours["transposes"],
        }  # fmt: skip
        files = [str(model)]
        if peer_python:
            found["peer"] = _peer(entry, work / "peer.tflite", peer_python)
            files += [str(work / "peer.tflite")] if "error" not in found["peer"] else []
        return found | interpreters.run("zoo.latency", entry.name, *files, timeout_s=_LIMIT_S, threads=1)
    except interpreters.Broken as broken:
        return {"error": str(broken)}
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _peer(entry: Entry, path: Path, python: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = interpreters.run(
            "zoo.peer", entry.name, str(path), timeout_s=_LIMIT_S, python=python, threads=2
        )
    except interpreters.Broken as broken:
        return {"error": str(broken)}
    from zoo import tflite_file

    return found | tflite_file.described(path)
