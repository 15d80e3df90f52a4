"""``python -m reliability``: count what is survived, write docs/reliability.{json,md}."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from figures.measure import machine
from reliability import page
from reliability.bits import bits
from reliability.disks import disks
from reliability.kills import kills

DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(prog="reliability", description="Kills, flipped bits and full disks survived.")
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="how often a batch is killed; default: 100")
    arguments = parser.parse_args()
    parts: tuple[Callable[[Path], Iterator[dict[str, Any]]], ...] = (partial(kills, count=arguments.kills), bits, disks)
    rows: list[dict[str, Any]] = []
    for part in parts:
        with tempfile.TemporaryDirectory(prefix="isoform-reliability.") as folder:
            try:
                for row in part(Path(folder)):
                    rows.append(row)
                    print(json.dumps(row), file=sys.stderr, flush=True)
            except PermissionError as error:
                rows.append({"kind": "not measured", "why": str(error)})
    found = {"machine": machine(), "date": date.today().isoformat(), "rows": rows}
    (DOCS / "reliability.json").write_text(json.dumps(found, indent=1) + "\n")
    (DOCS / "reliability.md").write_text(page.rendered(found))


if __name__ == "__main__":
    main()
