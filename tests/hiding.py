"""Interpreters that cannot import some packages, nor can their children."""

import os
from pathlib import Path

_HIDING = """
import os, sys
from importlib.machinery import PathFinder

class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        is_hidden = name.partition(".")[0] in os.environ["HIDDEN"].split(",")
        return None if is_hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
"""


def environment(folder: Path, hidden: str) -> dict[str, str]:
    """Return the variables of an interpreter that finds none of the packages ``hidden``, separated by commas.

    Args:
        folder: for what does it; made where it is not there.
    """
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_HIDING)
    return os.environ | {"PYTHONPATH": str(folder), "HIDDEN": hidden}
