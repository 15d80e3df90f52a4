"""Does ONNX Runtime run a written graph, at several sizes of every dynamic dimension, and give what was declared?

Whether the numbers are the same is judged afterwards, with its own method.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from isoform.core.protocols import Array
from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import trial

_SIZES = (
    (2, 64, 96, 128), (3, 96, 160, 64), (2, 11, 23, 31), (3, 8), (16,), (1, 224, 256, 192), (224,), (2, 1600),
    (3, 1000),
)  # fmt: skip
"""Sizes for each dynamic dimension in turn: images no smaller than their windows first, then shorter, then equal, and
waves."""
_PROOFS = 2

Call = Callable[..., Sequence[Any]]


def prove(target: Path, signature: Signature, call: Call) -> None:
    """Run the file at ``target``; one that is refused is removed.

    Args:
        call: the function that was converted; asked only for sizes that ONNX Runtime refuses.

    Raises:
        IsoformError: ONNX Runtime refuses the file, or sizes that the function accepts, or gives other shapes.
    """
    try:
        session = _session(target)
        proved = 0
        for inputs, sizes in _trials(signature):
            proved += _runs(session, signature, inputs, sizes, call)
            if proved == (_PROOFS if signature.symbols else 1):
                return
        if not proved:
            raise IsoformError(
                "Neither the network nor the converted graph runs at any size that was tried.",
                f"Declare the sizes that it takes instead of {', '.join(signature.symbols)}.",
                kind="does-not-run",
            )
    except IsoformError:
        target.unlink()
        target.with_name(f"{target.name}.data").unlink(missing_ok=True)
        raise


def _session(target: Path) -> Any:
    try:
        return trial.session(target)
    except Exception as error:  # the binding raises a type of its own for every status
        raise IsoformError(
            f"ONNX Runtime refuses the converted graph: {trial.line(error)}",
            "Report this with the network.",
            kind="invalid-graph",
        ) from error


def _trials(signature: Signature) -> Iterator[tuple[dict[str, Array], dict[str, int]]]:
    for choices in _SIZES if signature.symbols else _SIZES[:1]:
        sizes = {symbol: choices[index % len(choices)] for index, symbol in enumerate(signature.symbols)}
        inputs = {
            spec.name: np.full(spec.sizes(sizes), spec.low or 0, tf.as_dtype(spec.dtype).as_numpy_dtype)
            for spec in signature.inputs
        }
        yield inputs, sizes


def _runs(session: Any, signature: Signature, inputs: dict[str, Array], sizes: dict[str, int], call: Call) -> bool:
    """Return whether the graph gives what is declared; False where the function itself refuses these sizes."""
    names = [spec.name for spec in signature.outputs]
    try:
        outputs = session.run(names, inputs)
    except Exception as error:  # as above
        if not _accepts(call, inputs):
            return False
        raise IsoformError(
            f"ONNX Runtime does not run the converted graph at {_written(sizes)}: {trial.line(error)}",
            "Report this with the network.",
            kind="broken-file",
        ) from error
    for spec, output in zip(signature.outputs, outputs, strict=True):
        wanted = tuple(sizes.get(dim) if isinstance(dim, str) else dim for dim in spec.shape)
        fits = len(wanted) == output.ndim and all(
            size in (None, found) for size, found in zip(wanted, output.shape, strict=True)
        )
        if not fits and _accepts(call, inputs):
            raise IsoformError(
                f"'{spec.name}' is declared as {spec}; at {_written(sizes)} ONNX Runtime gives {list(output.shape)}.",
                "Correct the signature, or make the network compute this size from its inputs.",
                kind="frozen-axis",
            )
    return True


def _accepts(call: Call, inputs: dict[str, Array]) -> bool:
    """Return whether the function answers; where an image is smaller than a window TensorFlow does, with NaN."""
    try:
        outputs = [np.asarray(output) for output in call(*map(tf.constant, inputs.values()))]
    except (tf.errors.OpError, ValueError, TypeError):
        return False
    return all(output.size and (output.dtype.kind != "f" or np.isfinite(output).all()) for output in outputs)


def _written(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name}={size}" for name, size in sizes.items()) or "the declared sizes"
