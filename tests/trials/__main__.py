"""``python -m trials``: compare until there are enough trials of each kind, write docs/trials.{json,md}."""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from figures.measure import machine
from isoform import registry
from isoform.core.bench import MEASUREMENT
from isoform.core.comparison import CompareOptions, Comparison
from isoform.core.machine import load
from isoform.isolation import Pool
from isoform.stages.bench import Query
from isoform.stages.compare import Comparer
from trials import networks, page

OPTIONS = CompareOptions(threads=(1,))
MOST_LOAD = 6.0
"""A trial begins when no more wait for the two cores than this: beyond three for each, little can be told at all."""
DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(prog="trials", description="How often is a comparison of times right?")
    parser.add_argument("--count", type=int, default=20, help="trials of each kind; default: 20")
    parser.add_argument("--force", action="store_true", help="begin anew")
    arguments = parser.parse_args()
    path = DOCS / "trials.json"
    rows = [] if arguments.force else _known(path)
    with tempfile.TemporaryDirectory(prefix="isoform-trials.") as folder:
        baseline = networks.written(Path(folder, "baseline.onnx"), networks.LAYERS)
        candidates = {
            "the same file": networks.written(Path(folder, "same.onnx"), networks.LAYERS),
            "5 % slower": networks.written(Path(folder, "slower.onnx"), networks.SLOWER_LAYERS),
        }
        query = Query(
            {"x": np.random.default_rng(1).normal(size=networks.SIGNATURE.inputs[0].shape).astype(np.float32)}
        )
        for place in range(arguments.count):
            for kind, candidate in candidates.items():
                if sum(row["candidate"] == kind for row in rows) > place:
                    continue
                _wait()
                before = load()
                with Pool() as pool:
                    (found,) = Comparer(baseline, candidate, query, registry.runtime("ort-cpu"), pool, OPTIONS).run()
                rows.append(_row(kind, found, [before or 0.0, load() or 0.0]))
                print(f"{place + 1} of {arguments.count}, {kind}: {found}", file=sys.stderr, flush=True)
                document = {**_about(), "machine": machine(), "date": date.today().isoformat(), "rows": rows}
                path.write_text(json.dumps(document, indent=1) + "\n")
                (DOCS / "trials.md").write_text(page.rendered(document))


def _wait() -> None:
    while (load() or 0.0) > MOST_LOAD:
        time.sleep(10)


def _about() -> dict[str, Any]:
    """Return what is compared, and how."""
    return {
        "layers": networks.LAYERS, "slower": networks.SLOWER_LAYERS, "shape": list(networks.SIGNATURE.inputs[0].shape),
        "measurement": MEASUREMENT, "most_load": MOST_LOAD,
        "protocol": asdict(OPTIONS) | {"threads": list(OPTIONS.threads)},
    }  # fmt: skip


def _known(path: Path) -> list[dict[str, Any]]:
    """Return the rows there are, of the same networks and protocol; those of others are not mixed with new ones."""
    known: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    is_alike = {key: known.get(key) for key in _about()} == _about()
    return list(known["rows"]) if is_alike else []


def _row(kind: str, found: Comparison, loads: list[float]) -> dict[str, Any]:
    return {
        "candidate": kind, "verdict": found.verdict, "ratio": found.ratio, "ratio_95": list(found.interval or ()),
        "control": found.control_ratio, "control_95": list(found.control_interval or ()),
        "groups": len(found.groups), "load": loads,
    }  # fmt: skip


if __name__ == "__main__":
    main()
