"""TFLite to ONNX: builtin operators read from the file itself, float and quantised; weights stay mapped from it.

What is written counts once ONNX' checker and strict shape inference accept it, and ONNX Runtime gives outputs of the
same dtypes and shapes as LiteRT, at two sizes of every dynamic dimension. Whether the numbers are the same is not asked
here.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions, RunOptions
from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import graph as hub_graph
from isoform.hub import litert_session, trial
from isoform.hub.importers import tflite
from isoform.hub.validity import refuse_invalid

_SIZES = ((2, 17, 33, 49), (3, 19, 37, 53))
"""Two sizes for each dynamic dimension in turn."""


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the ONNX file ``target``, large weights beside it.

    Raises:
        UnsupportedOperator: operators that have no ONNX form here.
        IsoformError: an operator in a form that ONNX cannot have; with kind "invalid-graph" or "broken-file", what was
            written is refused, or runs otherwise than the source, and the file is gone.
    """
    model = tflite.load(source.model, source.entry)
    _declare(model, source.signature)
    refuse_invalid(model)
    hub_graph.save(model, target)
    del model
    try:
        _compare(source, target)
    except IsoformError:
        target.unlink()
        target.with_name(f"{target.name}.data").unlink(missing_ok=True)
        raise


def _declare(model: ir.Model, signature: Signature) -> None:
    """Give inputs and outputs the shapes that the signature has, and all others the names of its dimensions."""
    for values, specs in ((model.graph.inputs, signature.inputs), (model.graph.outputs, signature.outputs)):
        found, declared = [value.name for value in values], [spec.name for spec in specs]
        if found != declared:
            raise IsoformError(
                f"The file has {', '.join(map(str, found))}; declared are {', '.join(declared)}.",
                "Declare the names that the file has.",
                kind="signature",
            )
        for value, spec in zip(values, specs, strict=True):
            value.shape = ir.Shape(spec.shape)
    for node in model.graph.all_nodes():
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape = None
    hub_graph.infer_shapes(model)


def _compare(source: Artifact, target: Path) -> None:
    """Run both at two sizes of every dynamic dimension.

    Raises:
        IsoformError: ONNX Runtime refuses the file, or its outputs have other dtypes or shapes than LiteRT's.
    """
    ours, theirs = _attempted(lambda: trial.session(target)), litert_session.opened(source, RunOptions())
    for choices in _SIZES[: 2 if source.signature.symbols else 1]:
        symbols = source.signature.symbols
        sizes = {symbol: choices[index % len(choices)] for index, symbol in enumerate(symbols)}
        inputs = {spec.name: np.full(spec.sizes(sizes), spec.low or 0, spec.dtype) for spec in source.signature.inputs}
        wanted = theirs.run(inputs)
        found = dict(zip(wanted, _attempted(partial(ours.run, list(wanted), inputs)), strict=True))
        for name, array in wanted.items():
            if (found[name].shape, found[name].dtype) != (array.shape, array.dtype):
                raise IsoformError(
                    f"'{name}' is {found[name].dtype}{list(found[name].shape)} in ONNX Runtime, "
                    f"{array.dtype}{list(array.shape)} in LiteRT.",
                    "Report this with the TFLite file.",
                    kind="broken-file",
                )
    theirs.close()


def _attempted(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # the binding raises a type of its own for every status
        raise IsoformError(
            f"ONNX Runtime does not run the graph that was read from the file: {trial.line(error)}",
            "Report this with the TFLite file.",
            kind="broken-file",
        ) from error
