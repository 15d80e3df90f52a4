"""``python -m zoo``: convert what has no row yet, time the TFLite files, write docs/zoo.{json,md}."""

import argparse
import os
import re
import signal
import sys
from datetime import date

from figures.measure import machine
from zoo import interpreters, page, run, speed
from zoo.catalogue import entries
from zoo.entry import Entry
from zoo.results import DOCS, Results


def main() -> None:
    arguments = _arguments()
    chosen = [entry for entry in in_turn(list(entries().values())) if _is_asked_for(entry, arguments.filter)]
    if not chosen:
        sys.exit(f"no architecture has a name or a family that matches '{arguments.filter}'")
    if arguments.list:
        print("\n".join(f"{entry.name}  ({entry.family}, {entry.framework})" for entry in chosen))
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results = Results()
    if not arguments.only_page:
        results.describe(machine=machine(), date=date.today().isoformat())
    try:
        if not arguments.only_page:
            run.convert(chosen, arguments.targets, results, arguments.again, arguments.jobs)
        if arguments.speed:
            speed.measure(chosen, results, os.environ.get(interpreters.PEER), bool(arguments.again))
    except KeyboardInterrupt:
        print("stopped; what was measured is kept, and the next run goes on from here", file=sys.stderr)
    (DOCS / "zoo.md").write_text(page.rendered(results, entries()))


def in_turn(found: list[Entry]) -> list[Entry]:
    """Return the architectures with the families in turn, so that a run that is broken off has seen all of them."""
    seen: dict[str, int] = {}
    places = {}
    for entry in found:
        places[entry.name] = seen[entry.family] = seen.get(entry.family, 0) + 1
    return sorted(found, key=lambda entry: places[entry.name])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="zoo", description="Public architectures, from every source to every target.")
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", default=run.TARGETS, help=f"of: {', '.join(run.TARGETS)}; default: all"
    )
    parser.add_argument("--filter", metavar="REGEX", help="only names that hold it, or the family of that name")
    parser.add_argument("--again", default="", choices=(run.FAILED, run.EVERYTHING), help="also what has a row")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="architectures at one time; default: 1")
    parser.add_argument(
        "--speed", action="store_true", help="time the TFLite files, beside a peer's where there is one"
    )
    parser.add_argument("--only-page", action="store_true", help="convert nothing")
    parser.add_argument("--list", action="store_true", help="print the architectures, do nothing")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.targets if name not in run.TARGETS]
    if unknown:
        parser.error(f"there is no target '{unknown[0]}'; one of: {', '.join(run.TARGETS)}")
    return arguments


def _is_asked_for(entry: Entry, pattern: str | None) -> bool:
    return pattern is None or bool(re.search(pattern, entry.name)) or bool(re.fullmatch(pattern, entry.family))


if __name__ == "__main__":
    main()
