"""What is said of an operator that a runtime computes too inexactly, and the part of its file that shows it."""

from collections.abc import Sequence
from pathlib import Path

from isoform.core.divergence import EXECUTION, Divergence
from isoform.hub.divergence import repro
from isoform.hub.divergence.execution import Execution, Inexact
from isoform.hub.divergence.file import Step

_MOST_NAMED = 8


def of_execution(execution: Execution, inexact: Inexact, folder: Path) -> Divergence:
    """Return the answer, its part of the file left in ``folder``, which is made."""
    last, file = inexact.steps[-1], execution.file
    given = execution.rounded(execution.cases[0], inexact.inputs)
    expected = file.part(inexact.inputs, inexact.output)[0].values(given, {inexact.output})[inexact.output]
    folder.mkdir(parents=True)
    title = f"{last}: the first operator that the runtime computes too inexactly."
    files = repro.write(
        file.write, file.form, given, inexact.output, expected, inexact.allowed, execution.limit, title, folder
    )
    cause = "the runtime computes these operators as one: ask it to optimise less" if inexact.is_fused else (
        "the runtime's kernel approximates" if inexact.own > execution.limit else "it amplifies what its inputs bring"
    )  # fmt: skip
    return Divergence(
        EXECUTION, str(last), named(inexact.steps), "", (), last.attributes, last.line, inexact.ratio, inexact.own,
        inexact.inherited, execution.limit, cause, files=files,
    )  # fmt: skip


def named(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the last few of some operators, each once."""
    return tuple(dict.fromkeys(map(str, steps[-_MOST_NAMED:])))
