"""What a PyTorch checkpoint holds, loaded with ``weights_only=True``; code in it runs only where its owner allows it.

Not aware of what it was wrapped in: that is isoform.intake.state_dict.
"""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from isoform.core.cases import Array
from isoform.errors import IsoformError

_MODULES = ("model", "ema", "net", "network", "module", "generator")
"""Keys under which training records keep a whole module."""
_REASON_CHARACTERS = 300


def read(files: Sequence[Path], *, allow_pickle: bool) -> Any:
    """Return what the files hold together: usually a mapping of tensors, which stay mapped where they can.

    Raises:
        IsoformError: damaged, or it does not load without running code and that is not allowed; a weight in two files.
    """
    if len(files) == 1:
        return _read_one(files[0], allow_pickle)
    together: dict[str, Any] = {}
    for file in files:
        part = _read_one(file, allow_pickle)
        twice = sorted(set(together) & set(part))
        if twice:
            raise IsoformError(
                f"{file}: the weight '{twice[0]}' stands in another file of this checkpoint too.",
                "Put only the files of one checkpoint in the folder.",
                kind="ambiguous-container",
            )
        together |= part
    return together


def _read_one(path: Path, allow_pickle: bool) -> Any:
    with path.open("rb") as file:
        head = file.read(9)
    if head[8:9] == b"{" and head[:1] != b"\x80":
        return _read_safetensors(path)
    try:
        with torch.sparse.check_sparse_tensor_invariants():
            return torch.load(
                path, map_location="cpu", weights_only=not allow_pickle, mmap=head[:4] == b"PK\x03\x04" or None
            )
    except MemoryError:
        raise
    except ModuleNotFoundError as error:
        raise IsoformError(
            f"{path}: needs the package '{error.name}' that its objects come from.",
            "Run it from the folder of that code, or install the package.",
            kind="missing-dependency",
        ) from error
    except Exception as error:  # the loader raises many types for what it refuses; all mean the same here
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:_REASON_CHARACTERS]
        is_refused = isinstance(error, pickle.UnpicklingError) and not allow_pickle
        what = "not a state dict that loads without running code" if is_refused else "truncated or damaged"
        raise IsoformError(
            f"{path}: {what} ({reason})",
            "Save the weights alone: torch.save(model.state_dict(), PATH), or as .safetensors.",
            kind="unsafe-checkpoint" if is_refused else "damaged",
        ) from error


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return dict(safetensors.torch.load_file(path))
    except Exception as error:  # safetensors raises a type of its own that its package does not export everywhere
        raise IsoformError(
            f"{path}: not a whole safetensors file ({str(error)[:200]}).", "Save it again.", kind="damaged"
        ) from error


def module_in(found: Any) -> tuple[torch.nn.Module, str] | None:
    """Return the module that a checkpoint is or keeps under a usual key, and that key; None where there is none."""
    if isinstance(found, torch.nn.Module):
        return found, ""
    if isinstance(found, Mapping):
        for key in _MODULES:
            if isinstance(found.get(key), torch.nn.Module):
                return found[key], key
    return None


def load_module(path: str, key: str, sha256: str) -> torch.nn.Module:
    """Return the pickled module in ``path``: the factory of a checkpoint that was opened with --allow-pickle.

    Args:
        key: under which the checkpoint keeps it; "" where it is the checkpoint itself.
        sha256: of the file; it makes the module's code part of what a result depends on.
    """
    found = read([Path(path)], allow_pickle=True)
    module = found[key] if key else found
    if not isinstance(module, torch.nn.Module):
        raise IsoformError(f"{path}: the module is gone.", "Convert the file again.", kind="not-a-state-dict")
    return module.float().eval() if _is_half(module) else module.eval()


def _is_half(module: torch.nn.Module) -> bool:
    return any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in module.parameters())


def write(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a state dict as safetensors; only what shares memory or lies across it is copied first.

    Raises:
        IsoformError: a tensor that is sparse, quantized or not on the CPU; it is named.
    """
    storages: set[int] = set()
    plain = {}
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise IsoformError(
                f"'{name}' in the checkpoint is a {tensor.layout} tensor, quantized or without values.",
                "Save it as an ordinary one: tensor.to_dense() or tensor.dequantize().",
                kind="state-dict",
            )
        storage = tensor.untyped_storage()
        is_shared = storage.data_ptr() in storages or storage.nbytes() != tensor.nbytes
        storages.add(storage.data_ptr())
        plain[name] = tensor.detach().contiguous().clone() if is_shared else tensor.detach().contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(plain, path)


def arrays(module: torch.nn.Module) -> Iterator[tuple[str, Array]]:
    """Yield the floating-point tensors by name, infinities as NaN in parameters and as 0 in buffers, which mask."""
    for tensors, instead in ((module.named_parameters(), torch.nan), (module.named_buffers(), 0.0)):
        for name, tensor in tensors:
            if tensor.is_floating_point():
                values = tensor.detach().cpu().float()
                yield name, values.nan_to_num(torch.nan, instead, instead).numpy()
