"""``python -m results reference|edge OUT``: gather or measure the rows of a section, write docs/results.{json,md}."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from figures.measure import machine
from isoform.core.machine import load
from results import edge, page, reference

DOCS = Path(__file__).parents[2] / "docs"
SECTIONS: dict[str, Callable[[Path], Iterator[dict[str, Any]]]] = {"reference": reference.rows, "edge": edge.rows}


def main() -> None:
    parser = argparse.ArgumentParser(prog="results", description="What do the reference models cost and keep?")
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("out", type=Path, help="the folder of exports")
    arguments = parser.parse_args()
    path = DOCS / "results.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    before, rows = load() or 0.0, []
    for row in SECTIONS[arguments.section](arguments.out):
        print(page.line(arguments.section, row), file=sys.stderr, flush=True)
        rows.append(row)  # what is measured stays if the next one never ends
        found[arguments.section] = {
            "machine": machine(), "date": date.today().isoformat(), "load": [before, load() or 0.0], "rows": rows,
        }  # fmt: skip
        path.write_text(json.dumps(found, indent=1) + "\n")
        (DOCS / "results.md").write_text(page.rendered(found))


if __name__ == "__main__":
    main()
