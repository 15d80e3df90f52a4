"""The verb behind ``verify --explain``: the first operator at which an artifact differs, and a part that shows it.

What the file means is compared with a reference file of the same model (another artifact beside it, or one that is
named); how its runtime computes it, with its own graph in float64. A format without operators that can be asked one by
one (SavedModel, TorchScript, PT2) is read back as ONNX first, and that graph compared.
"""

import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoform import registry, routes
from isoform.core import cases as case_files
from isoform.core import format as formats
from isoform.core.artifact import CASES_NAME, RECORD_NAME, Artifact, open_artifact
from isoform.core.cases import INTEGERS
from isoform.core.divergence import EXECUTION, MEANING, Divergence, Explanation
from isoform.core.structure import signature_of
from isoform.errors import IsoformError, MissingDependency, UsageError
from isoform.intake.container import identify
from isoform.isolation import Pool

READABLE = ("onnx", "tflite")
"""Formats whose files have operators that can be compared one by one; others are read back as the first."""
OWN = ("torchscript", "savedmodel")
"""Of the others, those that are asked themselves, too: which operator it is, and how their runtime computes it."""

_ALONE = "there is no other format beside it; name one with --against"


def explain(
    path: Path, against: Path | None, cases: Path | None, pool: Pool, keep: Path, runtime: str = ""
) -> Explanation:
    """Return where the artifact or model file ``path`` first differs.

    Args:
        against: the file or artifact that is right; by default an artifact beside this one in another format.
        cases: inputs and reference outputs, where ``path`` is no artifact's folder.
        keep: the folder that gets a folder with the part of the file that shows the difference.
        runtime: the one whose execution is asked; the format's own unless given.

    Raises:
        IsoformError: a file cannot be read, or the cases cannot be.
        UsageError: ``path`` is a bare file and there are no ``cases``.
    """
    known = cases or path / CASES_NAME
    if not known.is_file():
        raise UsageError(f"{path}: there are no cases beside it.", "Name the cases.npz of an export with --cases.")
    if case_files.load(known).method == INTEGERS:
        return Explanation(str(path), "", None, obstacles=("an integer model rounds at every operator",))
    with tempfile.TemporaryDirectory(prefix="isoform-explain.") as scratch:
        reader = _Reader(pool, Path(scratch))
        artifact = _opened(path, known)
        said = _Said()
        reference = _reference(path, against, known)
        row = registry.runtime(runtime or formats.lookup(artifact.format).runtime)
        asked = {"cases": str(known), "folder": str(free_folder(keep, path)), "runtime": row.name}
        is_own = artifact.format in OWN and artifact.format in row.formats
        if reference is None and (is_own or artifact.format in READABLE):
            said.notes.append(f"compared with its own graph only: {_ALONE}")
        elif reference is None:
            said.obstacles.append(f"nothing to compare it with: {_ALONE}")
        if is_own:
            registry.require(row)
            found = _by_itself(artifact, reference, asked, row, reader, said)
        else:
            found = _by_graph(artifact, reference, asked, reader, said)["divergence"]
    divergence = Divergence.from_json(found) if found else None
    name = str(reference.model) if reference else ""
    return Explanation(str(path), name, divergence, tuple(said.notes), tuple(said.asked), tuple(said.obstacles))


@dataclass
class _Said:
    """What is said of the asking itself, as `Explanation` has it."""

    notes: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)


def _by_graph(
    artifact: Artifact, reference: Artifact | None, asked: dict[str, Any], reader: "_Reader", said: _Said,
    clues: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return what the job says of the file's graph, read back where it has to be; then no runtime is asked."""
    target = reader.readable(artifact, said.notes, "it")
    other = None
    if reference is not None:
        try:
            other = reader.readable(reference, said.notes, str(reference.model))
        except IsoformError as error:
            said.obstacles.append(f"what it means was not compared: {reference.model} was not read back: {error.what}")
    is_run = target is artifact
    arguments = asked | {
        "artifact": target.to_json(), "reference": other.to_json() if other else None,
        "clues": str(clues) if clues else None, "runtime": asked["runtime"] if is_run else None,
    }  # fmt: skip
    answer: dict[str, Any] = reader.pool.call("isoform.jobs.explain:explain", arguments, needs="torch").value
    said.asked += [EXECUTION] * is_run
    if not answer["missed"]:
        said.asked += [MEANING] * (other is not None)
    else:
        names = ", ".join(f"'{name}'" for name in answer["missed"])
        said.obstacles.append(f"{names}: not what the reference gives, and no operator was found that makes it so")
    return answer


def _by_itself(
    artifact: Artifact, reference: Artifact | None, asked: dict[str, Any], row: registry.Runtime, reader: "_Reader",
    said: _Said,
) -> dict[str, Any] | None:  # fmt: skip
    """Return what the file itself says: which of its operators it is, or how its runtime computes them."""
    part, clues = reader.scratch / "part", reader.scratch / "clues.npz"
    try:
        answer = _by_graph(artifact, reference, asked | {"folder": str(part)}, reader, said, clues)
    except IsoformError as error:
        said.obstacles.append(f"what it means could not be asked, as it was not read back as ONNX: {error.what}")
        answer = {"divergence": None, "places": None, "missed": []}
    arguments = asked | {"artifact": artifact.to_json(), "clues": str(clues), **answer}
    job = "locate" if clues.is_file() else "execute"
    found: dict[str, Any] | None = None
    try:
        found = reader.pool.call(f"isoform.jobs.explain_own:{job}", arguments, needs=row.extra).value["divergence"]
    except IsoformError as error:
        if job == "execute":
            said.obstacles.append(f"how {row.name} computes it could not be asked: {error.what}")
        else:
            said.notes.append(f"the operator named is the graph's, as the file itself could not be asked: {error.what}")
    else:
        said.asked += [EXECUTION] * (job == "execute")
        if job == "locate" and found is None:
            said.notes.append("no tensor of the file is what differs in that graph: the operator named is the graph's")
    if job == "execute":
        return found or answer["divergence"]
    if found is None:
        found = answer["divergence"] | {"files": []}
    if not found["files"]:  # what differs is no tensor of the file: the part of the graph shows it
        shutil.move(part, asked["folder"])
        found["files"] = [str(Path(asked["folder"]) / Path(name).name) for name in answer["divergence"]["files"]]
    return found


class _Reader:
    """Reads formats back as ONNX where their operators cannot be asked one by one."""

    def __init__(self, pool: Pool, scratch: Path) -> None:
        self.pool, self.scratch, self._count = pool, scratch, 0

    def readable(self, artifact: Artifact, notes: list[str], called: str) -> Artifact:
        if artifact.format in READABLE:
            return artifact
        self._count += 1
        target = self.scratch / f"{self._count}.onnx"
        (step,) = next(route.steps for route in routes.ranked(artifact.format, READABLE[0]) if len(route.steps) == 1)
        registry.require(step)
        arguments = {
            "converter": step.name, "source": artifact.to_json(), "target": str(target), "options": {"sizes": {}},
        }  # fmt: skip
        self.pool.call("isoform.jobs.convert:convert", arguments, needs=step.extra)
        why = "to be compared; operators are named as in the file" if artifact.format in OWN and called == "it" else (
            f"as a {artifact.format} file's own operators cannot be asked"
        )  # fmt: skip
        notes.append(f"{called} was read back as ONNX {why}")
        return Artifact(READABLE[0], target, artifact.signature)


def _opened(path: Path, cases: Path) -> Artifact:
    if (path / RECORD_NAME).is_file():
        return open_artifact(path)
    return Artifact(identify(path).format, path.resolve(), signature_of(case_files.load(cases)))


def _reference(path: Path, against: Path | None, cases: Path) -> Artifact | None:
    """Return what is named, else the artifact beside it that is read most directly, if it passed."""
    if against is not None:
        return _opened(against, cases)
    beside = [path.parent / name for name in (*READABLE, "torchscript", "savedmodel", "pt2") if name != path.name]
    for folder in beside if (path / RECORD_NAME).is_file() else ():
        try:
            found = open_artifact(folder)
        except IsoformError:  # not exported to this format
            continue
        if found.signature == open_artifact(path).signature:
            return found
    return None


def free_folder(keep: Path, path: Path, ending: str = "") -> Path:
    """Return a folder below ``keep`` that is called after ``path``, numbered where there is one already."""
    folder = keep / f"{_word(path)}{ending}"
    number, found = 1, folder
    while found.exists():
        number += 1
        found = folder.with_name(f"{folder.name}-{number}")
    return found.resolve()


def _word(path: Path) -> str:
    parts = [part for part in path.parts[-3:] if part not in ("/", "..", ".")]
    return re.sub(r"[^\w.-]", "_", "-".join(parts)) or "model"


def require() -> None:
    """Raise MissingDependency where this machine cannot explain anything."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise MissingDependency.of("torch", "verify --explain", "torch")
