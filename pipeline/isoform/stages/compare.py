"""The verb bench with a baseline: two artifacts in turns, each pair of processes beside a third that tests the machine.

Three processes are alive together: the baseline, the baseline again, the candidate. One at a time runs a block, in
random order. What each child needs of the machine is so the same, whatever else it does.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry
from isoform.core import machine
from isoform.core.artifact import RECORD_NAME, Artifact, open_artifact, read_record
from isoform.core.comparison import CompareOptions, Comparison, Group
from isoform.core.format import FORMATS
from isoform.core.precision import FP32
from isoform.errors import UsageError
from isoform.isolation import Pool
from isoform.registry import Runtime
from isoform.stages.bench import Query
from isoform.stages.turns import Contender, Turns

Progress = Callable[[int, int, int], None]
"""Called with groups done, groups in all, and threads."""
_ROLES = ("baseline", "control", "candidate")
QUERY = "run"
"""What `isoform.jobs.turns` calls the one query of a session."""


def baseline_of(folder: Path, root: Path) -> Path | None:
    """Return the artifact below ``root`` that is the earlier one of ``folder``: same model, framework and format.

    A root that is an artifact itself is what everything is held against, of whatever format; None where there is none.

    Raises:
        UsageError: there are several.
    """
    if (root / RECORD_NAME).is_file():
        found = [root]
    else:
        wanted = _identity(read_record(folder))
        below = sorted(record.parent for record in root.rglob(RECORD_NAME))
        found = [path for path in below if _identity(read_record(path)) == wanted]
    if len(found) > 1:
        raise UsageError(
            f"{root}: {len(found)} artifacts of the model, framework and format of {folder}.",
            "Name the artifact's own folder.",
        )
    return found[0] if found else None


def runtime_for(baseline: Path, runtime: Runtime) -> Runtime:
    """Return what the baseline runs on: the candidate's runtime where that opens it, else its own format's."""
    name = open_artifact(baseline).format
    return runtime if name in runtime.formats else registry.runtime(FORMATS[name].runtime)


def contender(artifact: Artifact, row: Runtime, inputs: Path, threads: int, options: CompareOptions) -> Contender:
    """Return the child that holds a session of ``artifact`` open.

    Args:
        inputs: an npz of the arrays of one query.
    """
    session = {
        "runtime": row.name, "artifact": artifact.to_json(), "inputs": str(inputs), "threads": threads,
        "warmup_s": options.warmup_s, "warmup_limit_s": options.warmup_limit_s,
    }  # fmt: skip
    return Contender(row.extra, [("isoform.jobs.turns:open_session", session)])


@dataclass(frozen=True)
class Comparer:
    """Compares two artifacts with one query.

    Attributes:
        row: the candidate's runtime; ``baseline_row``: the baseline's, where it is another one.

    Raises:
        UsageError: they take different inputs.
    """

    baseline: Artifact
    candidate: Artifact
    query: Query
    row: Runtime
    pool: Pool
    options: CompareOptions = field(default_factory=CompareOptions)
    on_progress: Progress | None = None
    baseline_row: Runtime | None = None

    def __post_init__(self) -> None:
        ours, theirs = (_inputs(artifact) for artifact in (self.candidate, self.baseline))
        if ours != theirs:
            raise UsageError(
                f"The two take different inputs: {'; '.join(ours)}, and the baseline {'; '.join(theirs)}.",
                "Compare exports of one model.",
            )

    def run(self) -> tuple[Comparison, ...]:
        """Return a comparison for each number of threads.

        Raises:
            IsoformError: one of them did not load or run.
        """
        counts = dict.fromkeys(count or machine.cores() for count in self.options.threads)
        with tempfile.TemporaryDirectory(prefix="isoform-compare.") as scratch:
            inputs = Path(scratch) / "inputs.npz"
            np.savez(inputs, *self.query.arrays.values())
            return tuple(self._at(threads, inputs) for threads in counts)

    def _at(self, threads: int, inputs: Path) -> Comparison:
        found = Comparison(threads, (), self.options.threshold)
        while len(found.groups) < self.options.most_groups:
            group = self._group(threads, inputs, seed=len(found.groups))
            found = replace(found, groups=(*found.groups, group))
            is_due = len(found.groups) % self.options.groups == 0
            if self.on_progress is not None:
                due = -(-len(found.groups) // self.options.groups) * self.options.groups
                self.on_progress(len(found.groups), due, threads)
            if is_due and found.is_settled:
                break
        return found

    def _group(self, threads: int, inputs: Path, seed: int) -> Group:
        contenders = {
            role: contender(self._artifact(role), self._row(role), inputs, threads, self.options) for role in _ROLES
        }
        found = Turns(contenders, self.pool, self.options.blocks, self.options.block_s).group(seed)
        return Group(*(found.blocks[role, QUERY] for role in _ROLES))

    def _artifact(self, role: str) -> Artifact:
        return self.candidate if role == "candidate" else self.baseline

    def _row(self, role: str) -> Runtime:
        return self.row if role == "candidate" else (self.baseline_row or self.row)


def _identity(record: Mapping[str, Any]) -> tuple[str, ...]:
    return (*(str(record.get(key)) for key in ("name", "framework", "format")), str(record.get("precision", FP32)))


def _inputs(artifact: Artifact) -> list[str]:
    """Return what an artifact takes; how dynamic dimensions are called does not matter."""
    return [
        f"{spec.name}:{spec.dtype}[{','.join('?' if isinstance(dim, str) else str(dim) for dim in spec.shape)}]"
        for spec in artifact.signature.inputs
    ]
