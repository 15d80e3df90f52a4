"""A user's repository, read without executing it: what stands first on the import path, and what builds a network."""

import ast
import re
from pathlib import Path

from isoform.core.model import MANIFEST_NAME
from isoform.core.spelling import typed

_BUILDER = re.compile(r"(build|create|make|get)(_\w*(model|net)\w*)?|model|net|network")
"""How functions that build a network are called: ``build``, ``create_model``, ``make_net`` ..."""
_MOST_FILES = 200
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


def builders(file: Path, framework: str) -> list[str]:
    """Return what in ``file`` seems to build a network without arguments: functions, then classes, the last one first.

    Nothing where the file does not import the framework, "torch" or "keras".
    """
    tree = _parsed(file)
    if tree is None or framework not in {name.replace("tensorflow", "keras") for name in _imports(file)[0]}:
        return []
    functions = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and _BUILDER.fullmatch(node.name) and _takes_at_most(0, node)
    ]
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and _is_network(node)]
    return functions + classes[::-1]  # what comes last is made of what comes before


def likely_builder(weights: Path, framework: str) -> str | None:
    """Return ``FILE.py:CALLABLE`` of what seems to build the network of a file of weights, as it is typed after --arch.

    It is looked for beside the weights first, then in the current folder and the folders in it.
    """
    here = Path(".")
    files = [*sorted(weights.parent.glob("*.py")), *sorted(here.glob("*.py")), *sorted(here.glob("*/*.py"))]
    for file in list(dict.fromkeys(files))[:_MOST_FILES]:
        if not (file.parent / MANIFEST_NAME).is_file():
            for name in builders(file, framework):
                return f"{typed(file)}:{name}"
    return None


def _is_network(node: ast.ClassDef) -> bool:
    bases = {ast.unparse(base).split(".")[-1] for base in node.bases}
    starts = (item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__")
    return bool(bases & {"Module", "LightningModule", "Model"}) and all(_takes_at_most(1, item) for item in starts)


def _takes_at_most(count: int, function: ast.FunctionDef) -> bool:
    return len(function.args.args) - len(function.args.defaults) <= count and None not in function.args.kw_defaults


def _parsed(file: Path) -> ast.Module | None:
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # the child that imports it says what is wrong with it


def _imports(file: Path) -> tuple[set[str], bool]:
    """Return the outermost names that the file imports, and whether it has relative imports."""
    tree = _parsed(file)
    if tree is None:
        return set(), False
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
