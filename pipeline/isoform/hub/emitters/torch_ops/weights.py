"""The parameters of an emitted module, nested as the names of the initialisers say, and the modules inside it."""

import keyword
import re

import torch

_SEPARATORS = re.compile(r"[./:]+")
_OTHER = re.compile(r"\W")


def attach(root: torch.nn.Module, name: str, tensor: torch.Tensor, *, is_trained: bool) -> str:
    """Put ``tensor`` into ``root`` under a path made of ``name``, and return that path.

    ``encoder/layer.0/kernel:0`` becomes ``encoder.layer.0.kernel_0``; a path that is taken gets a number.
    """
    parts = [_word(part) for part in _SEPARATORS.split(name) if part] or ["weight"]
    owner = root
    for part in parts[:-1]:
        owner = _child(owner, part)
    last, number = parts[-1], 0
    while hasattr(owner, last):
        number += 1
        last = f"{parts[-1]}_{number}"
    if is_trained:
        owner.register_parameter(last, torch.nn.Parameter(tensor))
    else:
        owner.register_buffer(last, tensor)
    return ".".join(_path(root, owner, last))


def attach_module(root: torch.nn.Module, name: str, module: torch.nn.Module) -> str:
    """Put ``module`` into ``root`` under ``name``, numbered where that is taken, and return the name."""
    free, number = name, 0
    while hasattr(root, free):
        number += 1
        free = f"{name}_{number}"
    root.add_module(free, module)
    return free


def _word(part: str) -> str:
    """Return a part of a path as Python may write it: TensorFlow has scopes called while."""
    word = _OTHER.sub("_", part)
    return f"{word}_" if keyword.iskeyword(word) else word


def _child(owner: torch.nn.Module, name: str) -> torch.nn.Module:
    """Return the module ``name`` inside ``owner``, made if need be; numbered beside something else of that name."""
    wanted, number = name, 0
    while hasattr(owner, wanted) and not _is_container(getattr(owner, wanted)):
        number += 1
        wanted = f"{name}_{number}"
    if not hasattr(owner, wanted):
        owner.add_module(wanted, torch.nn.Module())
    child: torch.nn.Module = getattr(owner, wanted)
    return child


def _is_container(value: object) -> bool:
    return type(value) is torch.nn.Module


def _path(root: torch.nn.Module, owner: torch.nn.Module, last: str) -> list[str]:
    prefix = next(path for path, module in root.named_modules() if module is owner)
    return [*(prefix.split(".") if prefix else []), last]
