"""The last step to a smaller precision: a float32 file becomes another one of its format, in a child.

Which job does it stands in core/precision.py. Not aware of how a file is rewritten, nor of what the result is worth.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core import precision as precisions
from isoform.core.format import lookup
from isoform.isolation import Pool
from isoform.stages.export.build import Built, Reduction, Step


def reduced(built: Built, target: Path, precision: str, calibration: Path | None, workspace: Path, pool: Pool) -> Built:
    """Return what ``built`` becomes in ``precision``, written to ``target``; its own file stays as it is.

    Args:
        calibration: a file of cases with representative inputs, where the precision is of integers.
        workspace: an empty folder for what the step needs beside; gate 1 reads it.

    Raises:
        IsoformError: the file cannot be carried over, or the child died.
    """
    row, own = precisions.lookup(precision), registry.runtime(lookup(built.artifact.format).runtime)
    workspace.mkdir(parents=True)
    answer = pool.call(
        row.job,
        {
            "source": built.artifact.to_json(),
            "target": str(target),
            "precision": precision,
            "calibration": str(calibration) if calibration is not None else None,
            "workspace": str(workspace),
            "hub": str(built.onnx) if built.onnx is not None else None,
        },
        needs=own.extra,
    )
    value = answer.value
    done = Step(f"precision_{precision}", value["versions"], answer.seconds, answer.peak_rss_bytes)
    return replace(
        built,
        artifact=replace(built.artifact, model=target, precision=precision),
        steps=(*built.steps, done),
        onnx=built.onnx or (built.artifact.model if built.artifact.format == "onnx" else None),
        reduction=_reduction(precision, built.artifact.model, value),
    )


def _reduction(precision: str, float32: Path, value: dict[str, Any]) -> Reduction:
    kept, notes = tuple(value["kept"]), tuple(value["notes"])
    if "integers" not in value:
        return Reduction(precision, float32, kept=kept, notes=notes)
    figures = {name: value[name] for name in ("search", "arithmetic")}
    return Reduction(precision, Path(value["float"]), Path(value["integers"]), kept, notes, figures)
