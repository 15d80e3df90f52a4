"""The user's function that builds a network."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from isoform.core.artifact import Architecture
from isoform.errors import IsoformError


def resolve(architecture: Architecture) -> Callable[..., Any]:
    """Return the callable that ``architecture.factory`` names, its module imported.

    Raises:
        IsoformError: the file, the module or the callable is not there.
    """
    place, _, attribute = architecture.factory.rpartition(":")
    if place.endswith(".py"):
        path = architecture.root / place
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if not path.is_file() or spec is None or spec.loader is None:
            raise IsoformError(f"{path}: no such file.", "Name the file that builds the network.", kind="architecture")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    if not hasattr(module, attribute):
        raise IsoformError(
            f"'{place}' has no '{attribute}'.", "Write the factory as module:callable.", kind="architecture"
        )
    factory: Callable[..., Any] = getattr(module, attribute)
    return factory
