"""``python -m figures [SECTION...]``: measure, print each figure as it comes, and write docs/figures.{json,md}."""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from figures import convert, page, peers, reports, serve, speed
from figures.measure import Figure, machine, measure
from figures.rows import SECTIONS

DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    measured = {**speed.SECTIONS, **convert.SECTIONS, **peers.SECTIONS, **reports.SECTIONS, **serve.SECTIONS}
    names = [*SECTIONS, *measured]
    parser = argparse.ArgumentParser(prog="figures", description="Measure conversions and what comes out of them.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of: {', '.join(names)}; default: all")
    parser.add_argument("--without-peers", action="store_true", help="do not measure the peers beside")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.sections if name not in names]
    if unknown:
        parser.error(f"there is no section '{unknown[0]}'; one of: {', '.join(names)}")
    path = DOCS / "figures.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    for name in arguments.sections or names:
        entries: list[dict[str, Any]] = []
        for entry in _rows(name, not arguments.without_peers) if name in SECTIONS else measured[name]():
            entries.append(entry)  # what is measured stays if the next one never ends
            found[name] = {"machine": machine(), "date": date.today().isoformat(), "rows": entries}
            DOCS.mkdir(exist_ok=True)
            path.write_text(json.dumps(found, indent=1) + "\n")
            (DOCS / "figures.md").write_text(page.rendered(found))


def _rows(section: str, has_peers: bool) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="figures.") as work:
        for row in SECTIONS[section]():
            figure = _measured(row.place, row.arguments, work)
            peer: Any = row.peer
            if ":" in row.peer and row.peer_arguments:
                peer = vars(_measured(row.peer, row.peer_arguments, work)) if has_peers else "not measured"
            entry = {
                "name": row.name, "limit_s": row.limit_s, "limit_bytes": row.limit_bytes, "weights": row.weights,
                **vars(figure), "peer": peer,
            }  # fmt: skip
            print(page.line(entry), file=sys.stderr, flush=True)
            yield entry


def _measured(place: str, arguments: dict[str, Any], work: str) -> Figure:
    filled = {key: value.format(work=work) if isinstance(value, str) else value for key, value in arguments.items()}
    return measure(place, **filled)


if __name__ == "__main__":
    main()
