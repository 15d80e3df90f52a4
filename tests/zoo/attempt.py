"""``python -m zoo.attempt NAME CHECKPOINT FOLDER TARGET...``: one architecture through the public `isoform.convert`.

A row a target comes out on standard output, as JSON, when all are done.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import isoform
from isoform.errors import IsoformError
from zoo.catalogue import entries
from zoo.entry import Entry

_LONGEST = 600
_FRAME = re.compile(r'File "[^"]*/isoform/([^"]+)", line (\d+), in (\w+)')


def attempt(entry: Entry, checkpoint: Path, folder: Path, targets: list[str]) -> list[dict[str, Any]]:
    """Return the rows of ``entry``; a source that does not open is one failure for each target."""
    code: dict[str, Any] = {}
    if entry.framework == "torch":
        code = {"arch": "zoo.catalogue:build", "arch_arguments": {"name": entry.name}}
    try:
        results = isoform.convert(checkpoint, targets, inputs=entry.inputs, out=folder, name=entry.name, **code)
    except IsoformError as error:
        found = {"status": "failed", "verdict": "NOT VERIFIED", "kind": error.kind, "error": error.what[:_LONGEST]}
        return [row(entry, target, found) for target in targets]
    return [row(entry, result.format, _figures(result.to_json(), folder)) for result in results]


def row(entry: Entry, target: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the results file."""
    named = {"model": entry.name, "family": entry.family, "framework": entry.framework, "target": target}
    return named | found


def _figures(result: dict[str, Any], folder: Path) -> dict[str, Any]:
    error = result["error"]
    found = {
        "status": result["status"], "verdict": result["verdict"], "seconds": round(result["seconds"], 1),
        "peak_bytes": result["peak_rss_bytes"], "route": result["route"],
        "tried": [[" > ".join(each["route"]), each["error"]["message"][:_LONGEST]] for each in result["tried"]],
    }  # fmt: skip
    if error:
        found |= {"kind": error["kind"], "error": error["message"][:_LONGEST]}
        if "failed with" in error["message"]:
            found["place"] = place(folder / ".logs")
    if result["path"]:
        found |= _artifact(Path(result["path"]), result)
    return found


def place(logs: Path) -> str:
    """Return where isoform's own code was when the last exception of the newest log came up; empty if nowhere."""
    newest = sorted(logs.glob("*.log"), key=lambda log: log.stat().st_mtime)
    frames = [_FRAME.findall(log.read_text(errors="replace").rpartition("Traceback")[2]) for log in newest]
    known = [found[-1] for found in frames if found]
    return "{}:{} in {}".format(*known[-1]) if known else ""


def _artifact(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Return what only the artifact says: what each step cost, and what a TFLite file holds."""
    record = json.loads((folder / "artifact.json").read_text())
    found: dict[str, Any] = {"steps": {step["converter"]: step["seconds"] for step in record["route"]}}
    if result["format"] == "tflite":
        from zoo import tflite_file

        found |= tflite_file.described(folder / record["model"])
    return found


if __name__ == "__main__":
    name, checkpoint, folder, *targets = sys.argv[1:]
    print(json.dumps(attempt(entries()[name], Path(checkpoint), Path(folder), targets)))
