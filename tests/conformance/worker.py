"""One process that holds one target's runtime: names come in on stdin, a line of JSON a verdict goes out."""

import importlib
import json
import os
import sys
import warnings
from typing import Any

from conformance import suite
from conformance.verdicts import CRASHED, LEFT_OUT, REFUSED, RIGHT, CannotFeed, Verdict, compare
from isoform.errors import IsoformError


def judge(case: suite.Case, prepare: Any) -> Verdict:
    """Return the verdict over all data sets of a case: the first that is not right.

    Args:
        prepare: makes of a model, and its inputs for what has to be traced, a function from inputs to outputs.
    """
    for inputs, outputs in case.data_sets:
        try:
            found = prepare(case.model, inputs)(inputs)
        except IsoformError as error:
            return Verdict(REFUSED, error.what[:300])
        except CannotFeed as error:
            return Verdict(LEFT_OUT, str(error))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - runtimes raise types of their own; each is a case that does not run
            reason = (str(error).strip().splitlines() or [""])[0]
            return Verdict(CRASHED, f"{type(error).__name__}: {reason[:200]}")
        verdict = compare(case, outputs, found)
        if verdict.word != RIGHT:
            return verdict
    return Verdict(RIGHT)


def main() -> None:
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a runtime prints is not an answer
    prepare = importlib.import_module(f"conformance.targets.{sys.argv[1]}").prepare
    for line in sys.stdin:
        name = line.strip()
        verdict = judge(suite.load(name), prepare)
        print(json.dumps([name, verdict.word, verdict.reason]), file=answers, flush=True)


if __name__ == "__main__":
    main()
