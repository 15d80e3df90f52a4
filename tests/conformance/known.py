"""Cases that a target answers otherwise than ONNX expects, for a reason that lies outside of isoform.

A row needs its reason; one that is right again has to go (``stale``).
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from conformance.verdicts import CRASHED, RIGHT, WRONG, Verdict

_EVERYWHERE = {
    "node/test_training_dropout*": "the expected numbers are those of NumPy's random generator",
    "node/test_resize_downsample_scales_*_align_corners": "the expected size is cut before the corners are aligned; "
    "ONNX Runtime and PyTorch answer alike, and otherwise",
}
_FOURIER = {
    "node/test_dft*": "sums that cancel: 1.5e-5 off beside numbers of 100, in float32",
}
KNOWN: Mapping[str, Mapping[str, str]] = {
    "onnxruntime": {"*": "the yardstick is not judged"},
    "torch": _EVERYWHERE,
    "torchscript": _EVERYWHERE,
    "torchscript_weights": _EVERYWHERE,
    "tensorflow": _EVERYWHERE | _FOURIER,
    "tensorflow_weights": _EVERYWHERE | _FOURIER,
    "tflite": _EVERYWHERE,
    "tflite_weights": _EVERYWHERE,
    "tflite_dynamic": _EVERYWHERE,
}


def reason(target: str, name: str) -> str:
    """Return why a case cannot be right on a target, or nothing."""
    return next((text for pattern, text in KNOWN[target].items() if fnmatchcase(name, pattern)), "")


def unexplained(target: str, found: Mapping[str, Verdict]) -> dict[str, str]:
    """Return the cases that are wrong, or do not run, without a row here."""
    wrong = {name: str(verdict) for name, verdict in found.items() if verdict.word in (WRONG, CRASHED)}
    return {name: text for name, text in wrong.items() if not reason(target, name)}


def stale(target: str, found: Mapping[str, Verdict]) -> list[str]:
    """Return the rows whose every case is right or refused: they explain nothing any more."""
    rows = [pattern for pattern in KNOWN[target] if pattern not in _EVERYWHERE]
    words = {row: {verdict.word for name, verdict in found.items() if fnmatchcase(name, row)} for row in rows}
    return [row for row in rows if words[row] == {RIGHT}]
