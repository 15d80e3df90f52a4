"""The user's function that builds a network."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from isoform.core import spelling
from isoform.core.artifact import Architecture
from isoform.errors import IsoformError

_REASON_CHARACTERS = 200


def construct(architecture: Architecture) -> Any:
    """Return what the callable that ``architecture.factory`` names returns for its arguments.

    Raises:
        IsoformError: it is not there, or it fails; kind "missing-dependency" where a package is not installed.
    """
    factory = resolve(architecture)
    try:
        return factory(**architecture.arguments)
    except (IsoformError, MemoryError):
        raise
    except ModuleNotFoundError as error:
        raise _missing(architecture, error) from error
    except (Exception, SystemExit) as error:  # the user's code may raise anything; the traceback is in the log
        raise _failed(architecture, "was called", error) from error


def resolve(architecture: Architecture) -> Callable[..., Any]:
    """Return the callable that ``architecture.factory`` names, its module imported.

    Raises:
        IsoformError: the file, the module or the callable is not there, or the module does not import.
    """
    place, _, attribute = architecture.factory.rpartition(":")
    try:
        module = _imported(architecture.root, place)
    except (IsoformError, MemoryError):
        raise
    except ModuleNotFoundError as error:
        raise _missing(architecture, error) from error
    except (Exception, SystemExit) as error:  # a module's code may raise anything; the traceback is in the log
        raise _failed(architecture, "was imported", error) from error
    factory: Callable[..., Any] | None = getattr(module, attribute, None)
    if factory is None or not callable(factory):
        there = {name: value for name, value in vars(module).items() if not name.startswith("_") and callable(value)}
        own = [name for name, value in there.items() if getattr(value, "__module__", None) == module.__name__]
        raise IsoformError(
            f"'{place}' has no callable '{attribute}'.",
            spelling.hint(attribute, own or there, "It has"),
            kind="architecture",
        )
    return factory


def _imported(root: Path | None, place: str) -> ModuleType:
    if root is not None and place.endswith(".py"):
        return _from_file(root / place)
    return importlib.import_module(place)


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise IsoformError(f"{path}: no such file.", "Name the file that builds the network.", kind="architecture")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise IsoformError(f"{path}: not a Python file.", "Name the file that builds the network.", kind="architecture")
    module = importlib.util.module_from_spec(spec)
    known = sys.modules.get(path.stem)
    if known is None or getattr(known, "__file__", None) == str(path):
        sys.modules[path.stem] = module  # dataclasses and pickles look their module up by its name
    try:
        spec.loader.exec_module(module)
    except BaseException:  # whatever ended it, Ctrl-C too: no half-made module may stay; raised again
        if sys.modules.get(path.stem) is module:
            del sys.modules[path.stem]
        raise
    return module


def _missing(architecture: Architecture, error: ModuleNotFoundError) -> IsoformError:
    return IsoformError(
        f"'{architecture.factory}' needs the package '{error.name}', which is neither installed nor in "
        f"{architecture.root}.",
        f"pip install {error.name}; or, if it is part of the repository, run from its root folder and write --arch "
        "package.module:callable",
        kind="missing-dependency",
    )


def _failed(architecture: Architecture, when: str, error: BaseException) -> IsoformError:
    lines = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {lines[0][:_REASON_CHARACTERS]}" if lines else type(error).__name__
    return IsoformError(
        f"'{architecture.factory}' failed when it {when}: {reason}",
        f"Its code is in {architecture.root}; its arguments: --arch-arg KEY=VALUE. The log has the traceback.",
        kind="architecture",
    )
