"""What a PyTorch network or TorchScript program seems to take, for the error that asks for ``--input``."""

from collections.abc import Callable
from typing import Any

import torch

from isoform.core.artifact import Artifact
from isoform.hub.torch_inputs import proposed
from isoform.hub.torch_source import build, load
from isoform.jobs.checkpoint import opened_checkpoint


def inputs(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the proposal for ``arguments["source"]``: inputs, readers, optional, is_run.

    Raises:
        IsoformError: the network cannot be built.
    """
    found = proposed(_network(Artifact.from_json(arguments["source"]), arguments))
    return {
        "inputs": found.inputs,
        "readers": dict(found.readers),
        "optional": found.optional,
        "is_run": found.is_run,
    }


def _network(source: Artifact, arguments: dict[str, Any]) -> torch.nn.Module:
    if source.format == "torchscript":
        return torch.jit.load(str(source.model)).eval()
    if source.architecture is None:  # a pickled module: its weights are in the file
        source, _ = opened_checkpoint(source, arguments)
        return load(source)
    return build(source.architecture).eval()
