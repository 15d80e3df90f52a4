"""What a SavedModel folder serves: opening one, and choosing among its signatures."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

from isoform.core import spelling
from isoform.core.signature import Signature
from isoform.errors import IsoformError

DEFAULT = "serving_default"


def opened(folder: Path, *, has_values: bool = True) -> Any:
    """Return what TensorFlow loads from ``folder``.

    Args:
        has_values: whether its variables are to hold what the checkpoint has; they cannot be read otherwise.

    Raises:
        IsoformError: it does not open it.
    """
    with refusing(folder):
        options = tf.saved_model.LoadOptions(experimental_skip_checkpoint=not has_values)
        return tf.saved_model.load(str(folder), options=options)


@contextmanager
def refusing(folder: Path) -> Iterator[None]:
    """Turn what TensorFlow raises while it reads ``folder`` into an error that names it."""
    try:
        yield
    except (tf.errors.OutOfRangeError, tf.errors.DataLossError) as error:
        raise damaged(folder, _first_line(error)) from error
    except Exception as error:  # TensorFlow raises many types for what it cannot restore
        raise IsoformError(
            f"{folder}: TensorFlow does not open it ({_first_line(error)}).", "Export the model again.", kind="load"
        ) from error


def damaged(folder: Path, why: str) -> IsoformError:
    """Return the error of a folder whose variables are not whole."""
    return IsoformError(
        f"{folder}: truncated or damaged: its variables cannot be read ({why}).",
        "Copy or export the whole folder again.",
        kind="damaged",
    )


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


def caller(served: Any, declared: Signature) -> Any:
    """Return a function of tensors in the order of ``declared``."""

    def call(*tensors: Any) -> list[Any]:
        answer = served(**{spec.name: tensor for spec, tensor in zip(declared.inputs, tensors, strict=True)})
        return [answer[spec.name] for spec in declared.outputs]

    return call


def weight_names(served: Any) -> dict[int, str]:
    """Return what the folder calls its variables, by the id of the handle."""
    return {id(variable.handle): variable.name.removesuffix(":0") for variable in served.variables}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
