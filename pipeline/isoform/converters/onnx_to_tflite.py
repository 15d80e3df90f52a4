"""ONNX to TFLite, written directly as a flatbuffer: no TensorFlow, no second copy of the weights.

The file is read back and run before it counts: at two sizes of every dynamic dimension, on the interpreter that users
have. Whether its numbers are right is not asked here.
"""

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from isoform.core.artifact import Artifact
from isoform.core.generation import usual_sizes
from isoform.core.protocols import Array, ConvertOptions, RunOptions, Session
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import graph, litert_session
from isoform.hub.emitters import tflite
from isoform.hub.passes.never_negative import note_lowest


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the file ``target``, weights streamed into it, and run it.

    Raises:
        UnsupportedOperator: nodes that TFLite has no form for.
        IsoformError: an operator in a form that TFLite cannot have; with kind "broken-file", LiteRT refuses what was
            written, and the file is gone.
    """
    _write(source, target)
    # Graphs hold their mapped weights in cycles, and LiteRT is about to map and pack as much again.
    gc.collect()
    try:
        read_back(Artifact("tflite", target, source.signature), options.sizes)
    except IsoformError:
        target.unlink()
        raise


def _write(source: Artifact, target: Path) -> None:
    model = graph.load_as_declared(source.model, source.signature)
    note_lowest(model, {spec.name: spec.low for spec in source.signature.inputs})
    tflite.build(model).save(target)


def read_back(artifact: Artifact, known: Mapping[str, Sequence[int]]) -> None:
    """Run ``artifact`` once at each of two sizes of every dynamic dimension.

    Args:
        known: sizes at which the source runs.

    Raises:
        IsoformError: LiteRT does not open it, or does not run it (kind "broken-file").
    """
    sizes: dict[str, int] = {}
    try:
        session = litert_session.opened(artifact, RunOptions())
        for turn in (0, 1):
            sizes = {symbol: (known.get(symbol) or usual_sizes(symbol))[-turn] for symbol in artifact.signature.symbols}
            _run(session, artifact.signature, sizes)
        session.close()
    except (IsoformError, RuntimeError, ValueError) as error:
        where = ", ".join(f"{symbol} = {size}" for symbol, size in sizes.items()) or "its own sizes"
        reason = str(error).strip().splitlines()[0][:300]
        raise IsoformError(
            f"LiteRT does not run {artifact.model.name} with {where}: {reason}",
            "Report this with the ONNX file; other formats may carry the model: --to onnx,savedmodel,torchscript",
            kind="broken-file",
        ) from error


def _run(session: Session, signature: Signature, sizes: dict[str, int]) -> None:
    outputs = session.run({spec.name: _smallest(spec, sizes) for spec in signature.inputs})
    for spec in signature.outputs:
        if spec.name not in outputs:
            raise IsoformError(f"there is no output '{spec.name}'", "See the names that the ONNX file has.")
        wanted = tuple(sizes.get(dim, "any") if isinstance(dim, str) else dim for dim in spec.shape)
        found = outputs[spec.name].shape
        if len(wanted) != len(found) or any(
            size not in ("any", real) for size, real in zip(wanted, found, strict=True)
        ):
            raise IsoformError(f"'{spec.name}' comes out as {found}, expected {wanted}", "See the ONNX file.")


def _smallest(spec: TensorSpec, sizes: dict[str, int]) -> Array:
    """Return the smallest values that the model accepts: zeros unless declared otherwise."""
    return np.full(spec.sizes(sizes), spec.low or 0, spec.dtype)
