"""Faults planted in copies of one artifact, each verified as the artifact is; and whether ``--explain`` names it."""

import math
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from calibration.variants import ratios
from isoform import registry
from isoform.core import cases as case_files
from isoform.core import format as formats
from isoform.core.artifact import CASES_NAME, Artifact, open_artifact
from isoform.core.divergence import Divergence
from isoform.core.parity import PASS, WARN, ParityRecord
from isoform.core.self_test import failed_gates
from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.stages import explain
from isoform.stages.self_test import Trial

SEED = 1
NAMED_LARGEST = 4
"""Operators of the reference that may be named together: a convolution with its padding, normalisation, activation."""
_R_SEM = re.compile(r"R_sem (\S+) at most")
_NOT_IN_AN_OPERATOR = ("swapped outputs", "a frozen axis")


def rows(folder: Path, pool: Pool) -> Iterator[dict[str, Any]]:
    """Yield a row for each fault that the artifact in ``folder`` has a place for."""
    artifact = open_artifact(folder)
    row = registry.runtime(formats.lookup(artifact.format).runtime)
    names = pool.call("isoform.jobs.plant:names", {"format": artifact.format}, needs=row.extra).value["names"]
    with tempfile.TemporaryDirectory(prefix="isoform-calibration.") as work:
        trial = Trial(artifact, case_files.load(folder / CASES_NAME), None, row, pool, Path(work))
        for name in names:
            made = trial.copy(name, SEED)
            if made is not None:
                copy, told = made
                record = trial.verified(copy)
                yield {
                    "kind": "fault", "runtime": row.name, "name": name, "place": told[:200], "verdict": record.verdict,
                    "gates": failed_gates(record.gates), "is_caught": record.verdict not in (PASS, WARN),
                    "r_sem": _r_sem(record), **ratios(record.outputs),
                }  # fmt: skip


def _r_sem(record: ParityRecord) -> float | None:
    """Return what gate 2 says at last: the largest ratio in float64; None where it was not asked."""
    findings = record.gates["semantics"].findings if "semantics" in record.gates else ()
    found = _R_SEM.search(" ".join(findings[-1:]))
    return float(found.group(1)) if found and math.isfinite(float(found.group(1))) else None


def named(folder: Path, pool: Pool) -> Iterator[dict[str, Any]]:
    """Yield a row for each fault of the hub graph, planted in a copy of an ONNX artifact; every second as TFLite."""
    from isoform import hub
    from isoform.hub import graph
    from isoform.hub.faults.graph import FAULTS

    artifact = open_artifact(folder)
    with tempfile.TemporaryDirectory(prefix="isoform-calibration.") as work:
        for name in (name for name in FAULTS if name not in _NOT_IN_AN_OPERATOR):
            model = graph.load(artifact.model)
            graph.infer_shapes(model)
            told = FAULTS[name](model, np.random.default_rng(SEED))
            if told is None:
                continue
            form = ("onnx", "tflite")[len(list(Path(work).iterdir())) % 2]
            path = Path(work) / name.replace(" ", "-") / f"model.{form}"
            path.parent.mkdir()
            try:
                if form == "onnx":
                    graph.save(model, path)
                else:
                    path.write_bytes(hub.to_tflite(model))
                found = explain.explain(path, folder, folder / CASES_NAME, pool, path.parent).divergence
            except IsoformError as error:
                yield {"kind": "named", "runtime": form, "name": name, "place": told[:200], "is_named": False,
                       "operator": f"failed: {error.what}"[:300], "cause": ""}  # fmt: skip
                continue
            yield {
                "kind": "named", "runtime": form, "name": name, "place": told[:200],
                "is_named": found is not None and is_named(found, _culprits(artifact, told)),
                "operator": found.operator if found else "", "cause": found.cause[:300] if found else "",
                "own": None if found is None or math.isinf(found.own) else round(found.own, 1),
            }  # fmt: skip


def named_in_their_own_words(folder: Path, pool: Pool) -> Iterator[dict[str, Any]]:
    """Yield a row for each fault of TorchScript and SavedModel files, looked for against the ONNX file beside them.

    Every second fault of each, so that what one has a place for and the other has not is looked for as well.
    """
    for place, form in enumerate(explain.OWN):
        if not (folder / form).is_dir():
            continue
        artifact = open_artifact(folder / form)
        row = registry.runtime(formats.lookup(form).runtime)
        names = pool.call("isoform.jobs.plant:names", {"format": form}, needs=row.extra).value["names"]
        for name in [name for name in names if name not in _NOT_IN_AN_OPERATOR][place::2]:
            with tempfile.TemporaryDirectory(prefix="isoform-calibration.") as work:
                yield from _named_in(artifact, folder, name, row, Path(work), pool)
        pool.release(row.extra)


def _named_in(
    artifact: Artifact, folder: Path, name: str, row: registry.Runtime, work: Path, pool: Pool
) -> Iterator[dict[str, Any]]:
    target = work / "copy" / artifact.model.name
    target.parent.mkdir()
    arguments = {"artifact": artifact.to_json(), "target": str(target), "fault": name, "seed": SEED}
    told = pool.call("isoform.jobs.plant:plant", arguments, needs=row.extra).value["told"]
    if told is None:
        return
    asked = {"artifact": artifact.to_json(), "copy": str(target), "told": told}
    culprits = set(pool.call("calibration.culprits:culprits", asked, needs=row.extra).value["titles"])
    known = folder / artifact.format / CASES_NAME
    found, said = None, "nothing"
    try:
        found = explain.explain(target, folder / "onnx", known, pool, work / "kept").divergence
    except IsoformError as error:
        said = f"failed: {error.what}"
    yield {
        "kind": "named", "runtime": artifact.format, "name": name, "place": told[:200],
        "is_named": found is not None and is_named_itself(found, culprits),
        "operator": found.operator if found else said[:300], "cause": found.cause[:300] if found else "",
        "own": None if found is None or math.isinf(found.own) else round(found.own, 1),
    }  # fmt: skip


def is_named(found: Divergence, culprits: set[str]) -> bool:
    """Tell whether one of ``culprits`` is the operator that is named, or among the few that it stands for."""
    return bool(culprits & _titles(found.operator, *found.counterparts)) and len(found.counterparts) <= NAMED_LARGEST


def is_named_itself(found: Divergence, culprits: set[str]) -> bool:
    """Tell whether one of ``culprits``, operators of the file that was asked, is the one that is named.

    Or it is among those that are named with it, which are few or stand for few of the reference.
    """
    is_narrow = min(len(found.operators), len(found.counterparts)) <= NAMED_LARGEST
    return bool(culprits & _titles(found.operator, *found.operators)) and is_narrow


def _titles(*operators: str) -> set[str]:
    return {text.rpartition(" (")[0] for text in operators}


def _culprits(artifact: Artifact, told: str) -> set[str]:
    """Return the operators that hold a fault: the one that is named, or those that read the weight that is named."""
    from isoform.hub import graph
    from isoform.hub.divergence.traced import of_graph

    place = told.split("'")[1]
    steps = of_graph(artifact, graph.load(artifact.model)).steps
    readers = {
        step.title for step in steps for node in step.nodes
        for value in (*node.inputs, *node.outputs) if value is not None and value.name == place
    }  # fmt: skip
    return {place} | readers
