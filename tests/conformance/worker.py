"""One process that holds one target's runtime: names come in on stdin, a line of JSON a verdict goes out.

The first line out says that the runtime is loaded. What a runtime prints goes to stderr.
"""

import importlib
import json
import os
import sys
import warnings
from pathlib import Path

from conformance import suite, verdicts
from conformance.forms import Prepare
from conformance.verdicts import RIGHT, Verdict, compare
from isoform.errors import IsoformError


def judge(case: suite.Case, prepare: Prepare) -> Verdict:
    """Return the verdict over all data sets of a case: the first that is not right.

    Args:
        prepare: makes of a model, and its inputs for what has to be traced, a function from inputs to outputs.
    """
    try:
        run = prepare(case.model, case.data_sets[0][0])
        for inputs, outputs in case.data_sets:
            verdict = compare(case, outputs, run(inputs))
            if verdict.word != RIGHT:
                return verdict
    except IsoformError as error:
        return Verdict(verdicts.REFUSED, _line(error.what))
    except verdicts.Refused as error:
        return Verdict(verdicts.REFUSED, _line(str(error)))
    except verdicts.Differs as error:
        return Verdict(verdicts.WRONG, _line(str(error)))
    except verdicts.CannotFeed as error:
        return Verdict(verdicts.LEFT_OUT, _line(str(error)))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - runtimes raise types of their own; each is a case that does not run
        return Verdict(verdicts.CRASHED, f"{type(error).__name__}: {_line(str(error))}")
    return Verdict(RIGHT)


def _line(text: str) -> str:
    """Return the line of a message that says something; a graph of TensorFlow's says it above the node's name."""
    above, found, _ = text.partition("[[{{node")
    lines = [line.strip() for line in above.splitlines() if line.strip()] or ["without a word"]
    return lines[-1 if found else 0][:300]


def main(target: str, folder: Path | None = None) -> None:
    """Serve ``target``, a name of the table or a module; cases come from ``folder``, or are made here without one."""
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    prepare = importlib.import_module(target if "." in target else f"conformance.targets.{target}").prepare
    if folder is not None:
        print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        name = line.strip()
        verdict = judge(suite.unpack(name, folder) if folder else suite.load(name), prepare)
        print(json.dumps([name, verdict.word, verdict.reason]), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
