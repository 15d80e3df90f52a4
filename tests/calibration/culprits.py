"""Which operators of a TorchScript or SavedModel file hold a fault that was planted in a copy: known without looking.

A job for the child that holds the format's framework. Both files are read as `isoform.hub.divergence.own` has them, but
nothing is computed: what was planted is told, and otherwise both lists of operators are compared line by line.
"""

import difflib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from isoform.core.artifact import Artifact
from isoform.core.protocols import Session
from isoform.hub.divergence import own
from isoform.hub.divergence.file import Operator


def culprits(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the titles of the operators that differ, in the copy.

    Args:
        arguments: artifact, copy (path), told (what was planted, its place in quotes).
        progress: not used.
    """
    artifact = Artifact.from_json(arguments["artifact"])
    before, after = (_steps(each) for each in (artifact, replace(artifact, model=Path(arguments["copy"]))))
    place = arguments["told"].split("'")[1]
    holder = _variable(artifact, place)
    named = [step.title for step in after if holder in step.weights]
    if not named and artifact.format == "savedmodel":  # an operator, or a constant that one reads
        named = [
            step.title for step in after if _is_at(step.title, place) or _is_at(step.title, place.rpartition("/")[0])
        ]
    return {"titles": named or _changed(before, after)}


def _steps(artifact: Artifact) -> tuple[Operator, ...]:
    steps: tuple[Operator, ...] = own.opened(artifact, _closed).steps
    return steps


def _closed(artifact: Artifact) -> Session:
    raise NotImplementedError(f"{artifact.model} is only read")


def _variable(artifact: Artifact, place: str) -> str:
    """Return the name that the operators have for a weight, which a checkpoint calls by its key."""
    if artifact.format == "torchscript":
        return place
    import numpy as np
    import tensorflow as tf

    from isoform.hub.serving import opened, pick

    prefix = artifact.model / "variables" / "variables"
    reader = tf.train.load_checkpoint(str(prefix))
    if place not in reader.get_variable_to_shape_map():
        return ""
    loaded, value = opened(artifact.model), reader.get_tensor(place)
    variables = pick(loaded, artifact.model, artifact.entry).variables
    return next((each.name.removesuffix(":0") for each in variables if np.array_equal(each.numpy(), value)), "")


def _is_at(title: str, place: str) -> bool:
    return title == place or title.startswith(f"{place}/fault_")


def _changed(before: tuple[Operator, ...], after: tuple[Operator, ...]) -> list[str]:
    one, other = ([_described(step) for step in steps] for steps in (before, after))
    found: list[str] = []
    for tag, _, _, begin, end in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        found += [step.title for step in after[begin:end]] if tag != "equal" else []
    return found


def _described(step: Operator) -> str:
    return f"{step.op_type} {sorted(step.attributes.items())} {step.weights} {len(step.inputs)}"
