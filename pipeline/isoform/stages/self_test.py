"""The verb behind ``verify --self-test``: plant faults in copies of an artifact and verify each like the artifact.

Faults are planted in the file itself: in the graph and the weights of an ONNX file, in the program of TorchScript and
PT2, in the functions and the variables of a SavedModel, in the layers and the weights of an OpenVINO IR, in the
weights of an ExecuTorch program; a TFLite or ORT file is read as a graph and written again. The artifact is only read;
what came of it stands beside it, in ``self_test.json``, for reports.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from isoform import registry, store
from isoform.core import cases as case_files
from isoform.core import format as formats
from isoform.core.artifact import CASES_NAME, SCHEMA_VERSION, Artifact, open_artifact, read_record
from isoform.core.cases import Cases
from isoform.core.parity import NOT_VERIFIED, Gate, ParityRecord
from isoform.core.precision import lookup
from isoform.core.self_test import Planted, SelfTest, failed_gates
from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.stages import decisions, semantics, verify

RECORD_NAME = "self_test.json"
Told = Callable[[str], None]


def self_test(folder: Path, pool: Pool, on_event: Told, seed: int = 0) -> SelfTest:
    """Return which planted faults the artifact's own cases catch on its format's own runtime.

    Raises:
        IsoformError: not an artifact, its cases or samples are damaged, or its file cannot be read.
    """
    artifact = open_artifact(folder)
    own = formats.lookup(artifact.format)
    row = registry.runtime(own.runtime)
    if not own.faults_need:
        there = ", ".join(name for name, each in formats.FORMATS.items() if each.faults_need)
        return SelfTest(row.name, NOT_VERIFIED, (), f"faults are planted in {there} only")
    with tempfile.TemporaryDirectory(prefix="isoform-self-test.") as scratch:
        task = folder / decisions.TASK_NAME
        decided = case_files.load(task) if task.is_file() else None
        trial = Trial(artifact, case_files.load(folder / CASES_NAME), decided, row, pool, Path(scratch))
        unaltered = trial.copy(None, seed)
        control = trial.verified(unaltered[0] if unaltered is not None else artifact)
        asked = {"format": artifact.format}
        names = pool.call("isoform.jobs.plant:names", asked, needs=own.faults_need).value["names"]
        found = [trial.planted(name, seed, on_event) for name in names]
    test = SelfTest(row.name, control.verdict, tuple(each for each in found if each is not None))
    _record(folder, test, on_event)
    return test


def read(folder: Path) -> SelfTest | None:
    """Return what was recorded of the artifact that stands there now; None where nothing was.

    Raises:
        KeyError, TypeError, ValueError: the record is damaged.
    """
    record = store.read_json(folder / RECORD_NAME)
    if record is None or record["key"] != read_record(folder)["key"]:
        return None
    return SelfTest.from_json(record)


def _record(folder: Path, test: SelfTest, on_event: Told) -> None:
    record = {"schema_version": SCHEMA_VERSION, "key": read_record(folder)["key"], **test.to_json()}
    try:
        store.write_json(folder / RECORD_NAME, record)
    except OSError as error:
        on_event(f"{RECORD_NAME} is not written: {error.strerror}")


class Trial:
    """Copies of one artifact, each verified against its cases and its weights."""

    def __init__(
        self, artifact: Artifact, cases: Cases, decided: Cases | None, row: registry.Runtime, pool: Pool, scratch: Path
    ) -> None:
        self._artifact, self._cases, self._decided = artifact, cases, decided
        self._row, self._pool, self._scratch = row, pool, scratch
        is_integer = lookup(artifact.precision).is_integer
        self._itself = semantics.answered_by(artifact, cases, pool) if is_integer else None
        arguments = {"runtime": row.name, "artifact": artifact.to_json(), "folder": str(scratch / "weights")}
        pool.call("isoform.jobs.infer:save_weights", arguments, needs=row.extra)

    def planted(self, fault: str, seed: int, on_event: Told) -> Planted | None:
        """Return what became of a copy with this fault; None where the artifact has no place for it."""
        made = self.copy(fault, seed)
        if made is None:
            return None
        copy, told = made
        record = self.verified(copy)
        found = Planted(fault, told, record.verdict, failed_gates(record.gates))
        on_event(f"{fault}: {'caught' if found.is_caught else 'MISSED'}")
        return found

    def copy(self, fault: str | None, seed: int) -> tuple[Artifact, str] | None:
        """Return a copy with this fault, or none at all, and where it is; None where there is no place for it."""
        target = self._scratch / f"{fault or 'control'}" / self._artifact.model.name
        target.parent.mkdir()
        arguments = {"artifact": self._artifact.to_json(), "target": str(target), "fault": fault, "seed": seed}
        answer = self._pool.call(
            "isoform.jobs.plant:plant", arguments, needs=formats.lookup(self._artifact.format).faults_need
        )
        told = answer.value["told"]
        return None if told is None else (replace(self._artifact, model=target), told)

    def verified(self, copy: Artifact) -> ParityRecord:
        """Return the record of a copy, as `verify` makes it of an artifact; one that does not open is an error."""
        try:
            weights, _ = verify.match_weights(copy, self._scratch / "weights", self._pool)
        except IsoformError as error:
            return ParityRecord.failed_to_run(self._row.name, error)
        function = self._function(copy)
        return verify.verify(copy, self._cases, self._row, self._pool, weights, function, decided=self._decided)

    def _function(self, copy: Artifact) -> Gate:
        """Return gate 2; of integers against the artifact itself, which was proved when it was written."""
        if self._itself is None:
            return semantics.evaluate(copy, self._cases, self._pool)
        return semantics.held_against(copy, self._itself, self._pool)
