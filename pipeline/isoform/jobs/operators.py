"""The job behind ``isoform inspect --operators``: what an emitter's table holds, read from the code itself."""

import importlib
from collections.abc import Callable
from typing import Any

EMITTERS = {"torchscript": "torch", "savedmodel": "tensorflow", "tflite": "tflite"}


READERS = {"tflite": "tflite"}


def listed(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the operators of the emitter that writes ``arguments["format"]``, each with the opsets it starts at.

    After them stand the format's own operators that are read from its files, where a table here reads them.
    """
    name = arguments["format"]
    found = importlib.import_module(f"isoform.hub.emitters.{EMITTERS[name]}").OPERATORS.listed()
    if name in READERS:
        rows = importlib.import_module(f"isoform.hub.importers.{READERS[name]}").OPERATORS.listed()
        found += [{"operator": row["operator"], "read_from": name} for row in rows]
    return {"operators": found}
