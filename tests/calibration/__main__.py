"""``python -m calibration``: run the subjects that have no rows yet, write docs/calibration.{json,md}."""

import argparse
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

from calibration import page
from calibration.subjects import subjects
from figures.measure import machine

DOCS = Path(__file__).parents[2] / "docs"
_SUBJECT_S = 1200.0


def main() -> None:
    arguments = _arguments()
    path = DOCS / "calibration.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"rows": [], "failed": {}}
    there = subjects(arguments.exports.resolve())
    chosen = [name for name in there if not arguments.filter or arguments.filter in name]
    if not chosen:
        sys.exit(f"no subject has a name that holds '{arguments.filter}'; there are: {', '.join(there)}")
    known = {row["model"] for row in found["rows"]}
    for name in () if arguments.only_page else chosen:
        if name in known and not arguments.force:
            continue
        rows, problem = _run(name, arguments.exports.resolve())
        found["rows"] = [row for row in found["rows"] if row["model"] != name] + rows
        found["failed"].pop(name, None)
        if problem:
            found["failed"][name] = problem
        found |= {"machine": machine(), "date": date.today().isoformat()}
        path.write_text(_lines(found))
        (DOCS / "calibration.md").write_text(page.rendered(found))
        print(f"{name}: {len(rows)} rows{problem and f', then: {problem}'}", file=sys.stderr, flush=True)
    (DOCS / "calibration.md").write_text(page.rendered(found))


def _run(name: str, exports: Path) -> tuple[list[dict[str, Any]], str]:
    """Return the rows of a subject, in an interpreter of its own, and why there are not more of them."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([".", os.environ.get("PYTHONPATH", "")])}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "calibration.trial", name, str(exports)], capture_output=True, text=True,
            timeout=_SUBJECT_S, check=False, env=environment,
        )  # fmt: skip
        output, code, complaints = done.stdout, done.returncode, done.stderr
    except subprocess.TimeoutExpired as error:
        output, code = _text(error.stdout), 1
        complaints = f"longer than {_SUBJECT_S:g} s"
    rows = [json.loads(line) for line in output.splitlines() if line.endswith("}")]
    return rows, (complaints.strip().splitlines() or [f"exit code {code}"])[-1][:300] if code else ""


def _text(output: bytes | str | None) -> str:
    """Return what a child that was ended had printed: Python gives it undecoded, whatever was asked."""
    return output.decode() if isinstance(output, bytes) else output or ""


def _lines(found: dict[str, Any]) -> str:
    """Return the document with a line a row, as versions of it are compared."""
    head = {key: value for key, value in found.items() if key != "rows"}
    rows = ",\n".join(f"  {json.dumps(row)}" for row in found["rows"])
    return json.dumps(head)[:-1] + f', "rows": [\n{rows}\n]}}\n'


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="calibration", description="False alarms and misses of the gates.")
    parser.add_argument("--exports", type=Path, default=Path("../exports"), help="folder of trained artifacts")
    parser.add_argument("--filter", help="only subjects whose name holds it")
    parser.add_argument("--force", action="store_true", help="run also what has rows")
    parser.add_argument("--only-page", action="store_true", help="run nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
