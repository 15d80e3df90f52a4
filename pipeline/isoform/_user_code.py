"""The user's repository on the import path of a child: first, and yet without breaking what frameworks import.

A repository may have a ``random.py`` or an ``onnx.py``: its own files get theirs, everybody else the one they were
written for. Where nothing has such a name, this is ``sys.path`` alone.
"""

import builtins
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any


def put_first(root: Path, protected: frozenset[str]) -> None:
    """Put ``root`` first on the import path of this interpreter.

    Args:
        protected: outermost names that frameworks rely on, beside those of the standard library.
    """
    sys.path.insert(0, str(root))
    own = {name: file for name in (*sys.stdlib_module_names, *protected) if (file := _file_of(root, name)) is not None}
    if own:
        sys.meta_path.insert(0, _InstalledFirst(root, frozenset(own)))
        builtins.__import__ = _Imports(root, own, builtins.__import__)


def _file_of(root: Path, name: str) -> Path | None:
    return next((file for file in (root / f"{name}.py", root / name / "__init__.py") if file.is_file()), None)


class _InstalledFirst:
    """A finder that looks for some names everywhere but in the repository."""

    def __init__(self, root: Path, names: frozenset[str]) -> None:
        self._root = str(root)
        self._names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or name not in self._names:
            return None
        return PathFinder.find_spec(name, [folder for folder in sys.path if folder != self._root])


class _Imports:
    """The import statement: a file of the repository gets the repository's module of that name."""

    def __init__(self, root: Path, own: Mapping[str, Path], original: Any) -> None:
        self._root = f"{root}/"
        self._own = own
        self._original = original
        self._loaded: dict[str, ModuleType] = {}

    def __call__(self, name: str, *arguments: Any, **named: Any) -> Any:
        scope = arguments[0] if arguments else named.get("globals")
        level = arguments[3] if len(arguments) > 3 else named.get("level", 0)
        importer = str((scope or {}).get("__file__") or "")
        if level == 0 and name in self._own and importer.startswith(self._root) and importer != str(self._own[name]):
            return self._load(name)
        return self._original(name, *arguments, **named)

    def _load(self, name: str) -> ModuleType:
        if name not in self._loaded:
            file = self._own[name]
            folders = [str(file.parent)] if file.name == "__init__.py" else None
            spec = importlib.util.spec_from_file_location(
                f"_repository_{name}", file, submodule_search_locations=folders
            )
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            self._loaded[name] = sys.modules[spec.name] = module
            try:
                spec.loader.exec_module(module)
            except BaseException:  # whatever ended it, Ctrl-C too: no half-made module may stay; raised again
                del self._loaded[name], sys.modules[spec.name]
                raise
        return self._loaded[name]
