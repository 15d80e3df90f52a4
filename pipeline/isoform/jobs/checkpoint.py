"""A PyTorch checkpoint made ready: read, unwrapped, under the network's own names, as one safetensors file."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from isoform.core.artifact import Architecture, Artifact
from isoform.core.signature import Signature
from isoform.core.state_dict import Unwrapped, fit_names, unwrap_record
from isoform.errors import IsoformError, UsageError
from isoform.hub import published
from isoform.hub import torch_checkpoint as checkpoints
from isoform.hub.torch_source import build


@dataclass(frozen=True)
class Checkpoint:
    """What the user hands over.

    Attributes:
        files: those that hold the weights, one or several.
        allow_pickle: objects in them may run code while they are loaded.
    """

    files: Sequence[Path]
    allow_pickle: bool
    workspace: Path


def opened_checkpoint(source: Artifact, arguments: Mapping[str, Any]) -> tuple[Artifact, tuple[str, ...]]:
    """Return `made_ready` for a job's arguments: files, allow_pickle, workspace."""
    files = [Path(file) for file in arguments.get("files", ())] or [source.model]
    return made_ready(source, Checkpoint(files, bool(arguments.get("allow_pickle")), Path(arguments["workspace"])))


def made_ready(source: Artifact, checkpoint: Checkpoint) -> tuple[Artifact, tuple[str, ...]]:
    """Return ``source`` with a safetensors file that fits its network, and what was done for that, in sentences.

    Where a configuration describes the network, the inputs that follow from it stand in the signature.

    Raises:
        IsoformError: the checkpoint does not load, holds no weights, or its network cannot be built.
        UsageError: it holds weights only and no network was named.
    """
    found = checkpoints.read(checkpoint.files, allow_pickle=checkpoint.allow_pickle)
    module = checkpoints.module_in(found) if checkpoint.allow_pickle else None
    if module is not None and source.architecture is None:
        return _pickled(source, checkpoint, *module)
    record = Unwrapped(module[0].float().state_dict(), ("took the weights of the pickled module",)) if module else None
    record = record or unwrap_record(found, _is_tensor)
    if record is None:
        raise IsoformError(
            f"{source.model}: holds a {type(found).__name__}{_keys(found)}, not a state dict.",
            "Save the weights alone: torch.save(model.state_dict(), PATH).",
            kind="not-a-state-dict",
        )
    if source.architecture is None:
        raise weights_only(source.model)
    fitted = _fitted(source.architecture, record.tensors)
    source = _with_inputs(source, source.architecture)
    steps = (*record.steps, *fitted.steps)
    if not steps and len(checkpoint.files) == 1 and isinstance(found, dict) and _is_safetensors(checkpoint.files[0]):
        return replace(source, model=checkpoint.files[0]), ()
    target = checkpoint.workspace / source.model.name  # errors then speak of the name that the user knows
    checkpoints.write(fitted.tensors, target)
    return replace(source, model=target), steps


def _fitted(architecture: Architecture, tensors: Mapping[str, torch.Tensor]) -> Unwrapped:
    if architecture.is_published:
        return published.fitted(architecture.arguments["library"], architecture.arguments["config"], tensors)
    return fit_names(tensors, build(architecture).state_dict().keys())


def _with_inputs(source: Artifact, architecture: Architecture) -> Artifact:
    if not architecture.is_published:
        return source
    inputs = published.inputs(architecture.arguments, build(architecture), source.signature.inputs)
    return replace(source, signature=Signature(inputs, ()))


def weights_only(path: Path) -> UsageError:
    """Return the error for a checkpoint without the code of its network."""
    return UsageError(
        f"{path}: holds weights only, not the network.",
        "Name the function that builds it: --arch model.py:build or --arch package.module:Class",
    )


def _pickled(
    source: Artifact, checkpoint: Checkpoint, module: torch.nn.Module, key: str
) -> tuple[Artifact, tuple[str, ...]]:
    path = checkpoint.files[0]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    place = {"path": str(path), "key": key, "sha256": digest}
    architecture = Architecture(Path.cwd(), "isoform.hub.torch_checkpoint:load_module", place)
    target = checkpoint.workspace / path.name
    is_half = any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in module.parameters())
    checkpoints.write(module.float().state_dict(), target)
    steps = [f"ran the pickled {type(module).__name__}" + (f" under '{key}'" if key else "")]
    steps += ["widened its weights to float32"] if is_half else []
    return replace(source, model=target, architecture=architecture), tuple(steps)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(9)
    return head[8:] == b"{" and head[:1] != b"\x80"


def _keys(found: Any) -> str:
    return f" with the keys {', '.join(map(str, list(found)[:8]))}" if isinstance(found, Mapping) and found else ""
