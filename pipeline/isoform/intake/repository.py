"""Which folder of a user's repository has to stand first on the import path, told from the file's own imports.

The file is parsed and not executed.
"""

import ast
from pathlib import Path

_HIGHEST = 6
"""How many folders above the file a repository's root is looked for."""


def locate(file: Path) -> tuple[Path, str]:
    """Return the folder for the import path, and the file as a module or as a path relative to that folder.

    A file with relative imports is a module of the package it lies in. Else its own folder is the root, unless what it
    imports lies further up: ``models/net.py`` with ``from utils.blocks import Block``, run anywhere.
    """
    names, is_relative = _imports(file)
    if is_relative:
        root = file.parent
        while (root / "__init__.py").is_file() and root != root.parent:
            root = root.parent
        words = file.relative_to(root).with_suffix("").parts
        return (root, ".".join(words)) if len(words) > 1 else (file.parent.parent, f"{file.parent.name}.{file.stem}")
    if not any(_holds(file.parent, name) for name in names):
        for folder in list(file.parents)[1:_HIGHEST]:
            if any(_holds(folder, name) for name in names):
                return folder, file.relative_to(folder).as_posix()
    return file.parent, file.name


def _imports(file: Path) -> tuple[set[str], bool]:
    """Return the outermost names that the file imports, and whether it has relative imports."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(), False  # the child that imports it says what is wrong with it
    names: set[str] = set()
    is_relative = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            is_relative |= node.level > 0
            names |= {node.module.partition(".")[0]} if node.module and not node.level else set()
    return names, is_relative


def _holds(folder: Path, name: str) -> bool:
    if (folder / f"{name}.py").is_file():
        return True
    package = folder / name
    return package.is_dir() and ((package / "__init__.py").is_file() or any(package.glob("*.py")))
