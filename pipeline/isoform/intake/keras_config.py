"""The configuration in a Keras archive, judged before Keras reads it: what it would import, open or run."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoform.intake.zip_archive import refusal

CODE_LAYERS = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
"""Layers that are programs, or that open another model."""
_PACKAGES = ("keras", "keras_hub", "keras_cv", "keras_nlp")
_WITHOUT_IMPORT = ("builtins", "", None)
_FILES = ("vocabulary", "asset_path", "filepath", "idf_weights")
_MOST_CONFIG_BYTES = 256 << 20
_MOST_ITEMS = 5_000_000


def read_config(path: Path) -> Any:
    """Return the configuration of the archive at ``path``.

    Raises:
        IsoformError: too large, or not JSON.
    """
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo("config.json").file_size > _MOST_CONFIG_BYTES:
            raise refusal(path, "its config.json is larger than any network's.", kind="zip-bomb")
        try:
            return json.loads(archive.read("config.json"))
        except (ValueError, RecursionError) as error:
            raise refusal(path, f"truncated or damaged: its config.json is not JSON ({str(error)[:80]}).") from error


def objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every dictionary in a configuration, however deep."""
    waiting = [config]
    for _ in range(_MOST_ITEMS):
        if not waiting:
            return
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def refuse_code(path: Path, *, has_code: bool) -> None:
    """Refuse an archive whose configuration names more than Keras' own layers.

    Args:
        has_code: the user named the module that its own classes come from.

    Raises:
        IsoformError: a layer that is a program, a module that is not Keras', a file or an address to be read.
    """
    for item in objects(read_config(path)):
        name, module = item.get("class_name"), item.get("module")
        if name in CODE_LAYERS or name == "__lambda__":
            raise refusal(
                path,
                f"holds a {name} layer, which is a program." if name != "__lambda__" else "holds a Python function.",
                "Write it as a layer class, save the model again, and name its module with --arch.",
                "unsafe-checkpoint",
            )
        if "class_name" in item and module not in _WITHOUT_IMPORT and not has_code and not _is_known(module):
            raise refusal(
                path,
                f"'{name}' would be imported from '{module}'.",
                "If that is your own code, name it: --arch FILE_OR_MODULE:CALLABLE; else do not open the file.",
                "unsafe-checkpoint",
            )
        _refuse_files(path, item)


def _is_known(module: Any) -> bool:
    return isinstance(module, str) and module.partition(".")[0] in _PACKAGES


def _refuse_files(path: Path, item: dict[str, Any]) -> None:
    for key in _FILES:
        value = item.get(key)
        if isinstance(value, str) and ("/" in value or "\\" in value):
            raise refusal(
                path,
                f"would read '{value}' (the {key} of a layer).",
                "Give the layer its vocabulary as a list, and save the model again.",
                "unsafe-path",
            )
