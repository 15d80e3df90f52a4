"""The job behind ``isoform inspect --operators``: what an emitter's table holds, read from the code itself."""

import importlib
from collections.abc import Callable
from typing import Any

EMITTERS = {"torchscript": "torch", "savedmodel": "tensorflow", "tflite": "tflite"}


def listed(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the operators of the emitter that writes ``arguments["format"]``, each with the opsets it starts at."""
    module = importlib.import_module(f"isoform.hub.emitters.{EMITTERS[arguments['format']]}")
    return {"operators": module.OPERATORS.listed()}
