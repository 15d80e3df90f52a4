"""``python -m calibration.trial NAME EXPORTS``: all rows of one subject, a line of JSON each as it is there."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import isoform
from calibration import faults, variants
from calibration.subjects import FORMATS, Subject, subjects
from isoform.isolation import Pool
from zoo import interpreters
from zoo.catalogue import entries
from zoo.source import SUFFIXES

_VARIANTS_S = 300.0


def rows(subject: Subject, work: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a subject: legitimate variants, planted faults, and faults that were looked for."""
    folder = subject.folder or _converted(subject.name, work)
    there = [folder / name for name in FORMATS if (folder / name / "artifact.json").is_file()]
    for each in there:
        yield from _variants(each)
    with Pool(work / "logs") as pool:
        for each in there:
            yield from faults.rows(each, pool)
            if each.name != "onnx":  # its interpreter holds what the other formats do not need
                pool.release(each.name)
        if (folder / "onnx") in there:
            yield from faults.named(folder / "onnx", pool)
            yield from faults.named_in_their_own_words(folder, pool)


def _variants(folder: Path) -> Iterator[dict[str, Any]]:
    processes = variants.PROCESSES.get(folder.name, {"": (2, {})})
    for way, (threads, environment) in processes.items():
        arguments = [str(folder), *([way] if way else [])]
        yield from interpreters.run(
            "calibration.variants", *arguments, timeout_s=_VARIANTS_S, threads=threads, environment=environment
        )


def _converted(name: str, work: Path) -> Path:
    entry = entries()[name]
    checkpoint = work / f"{name}{SUFFIXES[entry.framework]}"
    interpreters.run("zoo.source", name, str(checkpoint), timeout_s=_VARIANTS_S)
    code: dict[str, Any] = {}
    if entry.framework == "torch":
        code = {"arch": "zoo.catalogue:build", "arch_arguments": {"name": name}}
    isoform.convert(checkpoint, FORMATS, inputs=entry.inputs, out=work / "out", name=name, **code)
    return work / "out" / name


if __name__ == "__main__":
    chosen = subjects(Path(sys.argv[2]))[sys.argv[1]]
    with tempfile.TemporaryDirectory(prefix="isoform-calibration.") as work:
        for row in rows(chosen, Path(work)):
            print(json.dumps({"model": chosen.name, **row}), flush=True)
