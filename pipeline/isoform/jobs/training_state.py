"""The state of an interrupted training, in one file: variables, the curve so far, and the key of what they belong to.

An uncompressed npz, written one variable at a time, so that saving does not double the memory of a large network.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from isoform.data.dataset import Array

STATE_NAME = "state.npz"
_HEAD = "head.json"


def save(path: Path, key: str, variables: dict[str, Any], history: list[dict[str, Any]]) -> None:
    """Write the state to ``path``."""
    names = list(variables)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_HEAD, json.dumps({"key": key, "names": names, "epochs": history}))
        for index, name in enumerate(names):
            with archive.open(f"{index}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(variables[name]), allow_pickle=False)


def load(folder: Path, key: str) -> tuple[dict[str, Array], list[dict[str, Any]]] | None:
    """Return the variables and the curve of the interrupted training in ``folder``.

    None where there is none, where it is not whole, or where it belongs to another ``key``: training then starts over.
    """
    path = folder / STATE_NAME
    try:
        with zipfile.ZipFile(path) as archive:
            head = json.loads(archive.read(_HEAD))
            if head["key"] != key:
                return None
            variables = {name: _member(archive, f"{index}.npy") for index, name in enumerate(head["names"])}
    except (FileNotFoundError, zipfile.BadZipFile, ValueError, KeyError):
        return None
    return variables, head["epochs"]


def _member(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(name) as member:
        array: Array = np.lib.format.read_array(member, allow_pickle=False)
    return array
