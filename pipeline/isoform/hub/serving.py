"""What a SavedModel folder serves: opening one, and choosing among its signatures."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from isoform.core import spelling
from isoform.errors import IsoformError

DEFAULT = "serving_default"


def opened(folder: Path) -> Any:
    """Return what TensorFlow loads from ``folder``.

    Raises:
        IsoformError: it does not open it.
    """
    try:
        return tf.saved_model.load(str(folder))
    except (tf.errors.OutOfRangeError, tf.errors.DataLossError) as error:
        raise IsoformError(
            f"{folder}: truncated or damaged: its variables cannot be read ({_first_line(error)}).",
            "Copy or export the whole folder again.",
            kind="damaged",
        ) from error
    except Exception as error:  # TensorFlow raises many types for what it cannot restore
        raise IsoformError(
            f"{folder}: TensorFlow does not open it ({_first_line(error)}).", "Export the model again.", kind="load"
        ) from error


def pick(loaded: Any, folder: Path, name: str | None = None) -> Any:
    """Return the signature ``name``: without one ``serving_default``, or the only one there is.

    Raises:
        IsoformError: there is none of this name, or none to choose.
    """
    there = dict(loaded.signatures)
    found = there.get(name or DEFAULT)
    if found is None and name is None and len(there) == 1:
        (found,) = there.values()
    if found is None:
        raise IsoformError(
            f"{folder}: no signature '{name or DEFAULT}'.",
            spelling.hint(name or DEFAULT, sorted(there), "Signatures there"),
            kind="signature",
        )
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
