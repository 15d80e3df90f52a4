"""Which inputs stand for the model's task: the user's cases, the data that it was trained on, else generated ones.

What an integer precision is calibrated on is never what it is judged by, unless the user gives both in one file.
"""

import numpy as np

from isoform.core import cases as case_files
from isoform.core import decisions
from isoform.core.cases import Array, Cases
from isoform.core.decisions import CALIBRATED, TRAINING
from isoform.intake import npz_file
from isoform.stages.export.plan import ExportRequest

_SEED = decisions.SEED + 1


def test_data(request: ExportRequest) -> dict[str, Array]:
    """Return samples that the model was not trained on, by input; empty where there are none."""
    return {name: array for name, array in _all(request).items() if not name.startswith(TRAINING)}


def of_the_user(request: ExportRequest) -> Cases | None:
    """Return the user's own cases, if there are any.

    Raises:
        UsageError: they are not what the signature declares.
    """
    if request.cases is None:
        return None
    npz_file.refuse_bombs(request.cases)
    return case_files.from_user(request.cases, request.source.signature)


def to_decide_on(request: ExportRequest) -> Cases:
    """Return the samples of gate 4."""
    found = of_the_user(request)
    return found or decisions.samples(request.source.signature, test_data(request), request.sizes)


def to_calibrate_with(request: ExportRequest) -> Cases:
    """Return representative inputs for the ranges of activations."""
    found = of_the_user(request)
    held = _all(request).items()
    training = {name.removeprefix(TRAINING): array for name, array in held if name.startswith(TRAINING)}
    return found or decisions.samples(request.source.signature, training, request.sizes, CALIBRATED, _SEED)


def _all(request: ExportRequest) -> dict[str, Array]:
    if request.samples is None:
        return {}
    with np.load(request.samples, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
