"""``python -m fresh [EXTRA...]``: make each environment, try it, print a table; 1 where something else came out."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fresh import environments
from fresh.trials import MADE, PASS, PROOFS, TRIALS, Proof, Trial

MISSING = 3


def main() -> None:
    known = [*(trial.extra for trial in TRIALS), *(proof.package for proof in PROOFS)]
    parser = argparse.ArgumentParser(prog="fresh", description="Try isoform as a new user has it.")
    parser.add_argument("extras", nargs="*", metavar="EXTRA", help=f"of: {', '.join(known)}; default: all")
    chosen = parser.parse_args().extras or known
    rows = [row for trial in TRIALS if trial.extra in chosen for row in _tried(trial)]
    rows += _proved([proof for proof in PROOFS if proof.package in chosen])
    print("| installed | source | target | came out | as it has to |\n|---|---|---|---|---|")
    for *words, is_right in rows:
        print(f"| {' | '.join(words)} | {'yes' if is_right else 'NO'} |")
    sys.exit(0 if rows and all(row[-1] for row in rows) else 1)


def _tried(trial: Trial) -> Iterator[tuple[str, str, str, str, bool]]:
    title = f"isoform[{trial.extra}]"
    with tempfile.TemporaryDirectory(prefix="isoform-fresh.") as name:
        folder = Path(name)
        print(f"{title}: installing", file=sys.stderr, flush=True)
        python = environments.made(folder / "environment", trial.extra)
        for module in trial.absent:
            is_there = environments.finds(python, module)
            yield title, "", module, "installed" if is_there else "not installed", not is_there
        if not environments.runs(python, folder, trial.make):
            yield title, trial.title, "", "the source could not be made", False
            return
        code, results = environments.convert(python, folder, (*trial.words, "--to", ",".join(trial.expected)))
        for result in results:
            error = result["error"]
            found = f"{error['message']} {error['hint']}" if error else result["verdict"]
            yield title, trial.title, result["format"], found, found == trial.expected[result["format"]]
        wanted = 0 if set(trial.expected.values()) == {PASS} else MISSING
        yield title, trial.title, "exit code", str(code), code == wanted and len(results) == len(trial.expected)


def _proved(proofs: list[Proof]) -> Iterator[tuple[str, str, str, str, bool]]:
    with tempfile.TemporaryDirectory(prefix="isoform-fresh.") as name:
        folder, here = Path(name), Path(sys.executable)
        environments.runs(here, folder, MADE)
        for proof in PROOFS:
            environments.convert(here, folder, (*proof.words, "--name", "net", "--out", "out"))
        for proof in proofs:
            print(f"isoform, {proof.package}: installing", file=sys.stderr, flush=True)
            python = environments.made(folder / proof.format, also=proof.package)
            code, found = environments.verify(python, folder, f"out/net/{proof.format}")
            is_right = code == 0 and found == PROOFS[proof]
            yield f"isoform, {proof.package}", "an artifact, verified", proof.format, found, is_right


if __name__ == "__main__":
    main()
