"""Networks of public libraries, built from the configuration that is published beside their weights.

To add a library: its key in intake/published.py, and a module here with ``build``, ``fitted`` and ``inputs``. The code
is the library's own as it is installed; what lies in the folder of the weights is never imported.
"""

import importlib
import inspect
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import torch

from isoform.core.signature import TensorSpec
from isoform.core.state_dict import Unwrapped
from isoform.errors import IsoformError, MissingDependency, UsageError
from isoform.hub import torchvision_operators

_REASON_CHARACTERS = 300


def build(library: str, config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> torch.nn.Module:
    """Return the network that ``config`` describes, in eval mode, its weights not loaded.

    Raises:
        MissingDependency: the library is not installed.
        IsoformError: the library does not know this network, or does not build it.
    """
    return _asked(library, "build", config).eval()


def fitted(library: str, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Unwrapped:
    """Return ``tensors`` under the names that the network has now, as the library itself reads its checkpoints.

    Raises:
        IsoformError: they are not the weights of this network.
    """
    return _asked(library, "fitted", config, tensors)


def inputs(
    built_with: Mapping[str, Any], module: torch.nn.Module, declared: Sequence[TensorSpec]
) -> tuple[TensorSpec, ...]:
    """Return what the network takes: what follows from its configuration, replaced and followed by what is declared.

    Args:
        built_with: the arguments of `build`.

    Raises:
        UsageError: the network has no such input, or one that it has to be given does not follow.
    """
    found = _asked(built_with["library"], "inputs", built_with["config"], module, built_with["preprocessor"], declared)
    given = {spec.name: spec for spec in declared}
    _refuse_unknown(module, [spec.name for spec in found], given)
    replaced = [given.pop(spec.name, spec) for spec in found]
    return (*replaced, *given.values())


def arguments(module: torch.nn.Module) -> list[str]:
    """Return the names of everything that ``module`` can be called with."""
    return list(inspect.signature(module.forward).parameters)


def required(module: torch.nn.Module) -> list[str]:
    """Return the arguments that ``module`` cannot be called without."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(module.forward).parameters.values()
    return [each.name for each in parameters if each.default is each.empty and each.kind in kinds]


def refuse_underivable(module: torch.nn.Module, names: Sequence[str]) -> None:
    """Refuse a network with inputs ``names`` that its configuration says nothing of.

    Raises:
        UsageError: the first of them is shown as it would be declared.
    """
    if names:
        raise UsageError(
            f"{type(module).__name__}: its configuration does not say what the input '{names[0]}' is.",
            f"Declare it: --input '{names[0]}:float32[batch,16]', with its own dtype and shape.",
        )


def _refuse_unknown(module: torch.nn.Module, known: Sequence[str], given: Mapping[str, TensorSpec]) -> None:
    taken = arguments(module)
    unknown = [name for name in given if name not in known and name not in taken]
    if unknown:
        raise UsageError(
            f"--input '{unknown[0]}': {type(module).__name__} has no such input.",
            f"It takes {', '.join(known)}; optional: {', '.join(name for name in taken if name not in known)}.",
        )


def _asked(library: str, function: str, *arguments: Any) -> Any:
    """Return what the module of ``library`` answers; what the library raises becomes an error that names it."""
    if find_spec(library) is None:
        raise MissingDependency(
            f"The configuration names a network of {library}, which is not installed.", f"pip install {library}"
        )
    os.environ["HF_HUB_OFFLINE"] = "1"  # a configuration must not make the library download anything
    torchvision_operators.make_importable()
    try:
        return getattr(importlib.import_module(f"{__name__}.{library}_networks"), function)(*arguments)
    except (IsoformError, MemoryError):
        raise
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"{library} needs the package '{error.name}' for this network, which is not installed.",
            f"pip install {error.name}",
        ) from error
    except Exception as error:  # the library may raise anything for a configuration; the traceback is in the log
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:_REASON_CHARACTERS]
        raise IsoformError(
            f"{library} does not build a network from this configuration: {type(error).__name__}: {reason}",
            f"Check config.json against the version of {library} that is installed.",
            kind="architecture",
        ) from error
