"""``python -m growth``: convert the same models in threads and on workers, write docs/scale.{json,md}."""

import argparse
import json
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from figures.measure import machine
from growth import measure, networks, page
from isoform.core.machine import load

_ALONE = 5
"""One thread or worker does so many times fewer jobs: it gives the rate that others are held against."""
DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(prog="growth", description="What do many conversions take?")
    parser.add_argument("--count", type=int, default=1000, help="models; default: 1000")
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder that gets scale.json and scale.md")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    before = load() or 0.0
    with tempfile.TemporaryDirectory(prefix="isoform-growth.") as temporary:
        folder = Path(temporary)
        for label, workers, words in _ways():
            count = arguments.count if workers > 1 else max(2, arguments.count // _ALONE)
            jobs = networks.write(folder / str(count), count)
            row = measure.watch(jobs, count, label, workers, words, folder / f"out-{len(rows)}")
            print(f"{label}: {row.per_s:.2f} models a second", file=sys.stderr, flush=True)
            rows.append(row.to_json())  # what is measured stays if the next one fails
            document = {
                "count": arguments.count, "cores": measure.cores(), "machine": machine(),
                "date": date.today().isoformat(), "load": [before, load() or 0.0], "rows": rows,
            }  # fmt: skip
            (arguments.docs / "scale.json").write_text(json.dumps(document, indent=1) + "\n")
            (arguments.docs / "scale.md").write_text(page.rendered(document))


def _ways() -> list[tuple[str, int, list[str]]]:
    """Return how the batch is run: in threads, and on as many workers as there are cores for, up to four."""
    counts = [count for count in (1, 2, 4) if count <= measure.cores()]
    threads = [(f"threads, {count}", count, ["--workers", str(count)]) for count in counts[:2]]
    workers = [
        (f"workers, {count}", count, ["--scheduler", "local", "--workers", str(count)]) for count in counts
    ]  # fmt: skip
    return [*threads, *workers]


if __name__ == "__main__":
    main()
