"""The configuration of a Keras network, judged before Keras reads it: what it would import, open or run.

Keras resolves every name in it by import; what may be named are its own layers, operators and their settings, which
do nothing but compute. Not aware of where the configuration stands.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoform.intake.zip_archive import refusal

CODE_LAYERS = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
"""Layers that are programs, or that open another model."""
_OBJECTS = re.compile(
    r"keras(\.src)?\.(applications|constraints|dtype_policies|initializers|layers|losses|metrics|ops|optimizers"
    r"|quantizers|random|regularizers)(\.\w+)*|keras\.src\.models\.(functional|sequential|model)"
    r"|keras_(hub|cv|nlp)\.src\.(layers|models|tokenizers)(\.\w+)*"
)
_FUNCTIONS = re.compile(
    r"builtins|keras(\.src)?\.(activations|constraints|initializers|losses|metrics|ops|regularizers)(\.\w+)*"
)
"""Modules with functions that compute: others may fetch files, as those that build applications do."""
_OUTERMOST = ("DTypePolicy", "Functional", "Initializer", "InputSpec", "KerasTensor", "Model", "Sequential", "Variable")
"""What may be named of the modules ``keras`` and ``keras.models``, which hold much else."""
_WITHOUT_IMPORT = ("", None)
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


def refuse_code(path: Path, config: Any, *, has_code: bool) -> None:
    """Refuse a configuration that names more than Keras' own layers.

    Args:
        path: the file that it stands in, for messages.
        has_code: the user named the module that its own classes come from.

    Raises:
        IsoformError: a layer that is a program, a name that is not Keras', a file or an address to be read.
    """
    for item in objects(config):
        name = item.get("class_name")
        if name in CODE_LAYERS or name == "__lambda__":
            raise refusal(
                path,
                f"holds a {name} layer, which is a program." if name != "__lambda__" else "holds a Python function.",
                "Write it as a layer class, save the model again, and name its module with --arch.",
                "unsafe-checkpoint",
            )
        if "class_name" in item and not has_code and not _is_known(item):
            what = item.get("config") if name == "function" else name
            raise refusal(
                path,
                f"'{what}' would be imported from '{item['module']}'.",
                "If that is your own code, name it: --arch FILE_OR_MODULE:CALLABLE; else do not open the file.",
                "unsafe-checkpoint",
            )
        _refuse_files(path, item)


def _is_known(item: dict[str, Any]) -> bool:
    name, module = item["class_name"], item.get("module")
    if module in _WITHOUT_IMPORT:
        return True  # looked up among Keras' own layers, none of them in `CODE_LAYERS`
    if not isinstance(module, str):
        return False
    if name == "function":
        return _FUNCTIONS.fullmatch(module) is not None
    return _OBJECTS.fullmatch(module) is not None or (module in ("keras", "keras.models") and name in _OUTERMOST)


def _refuse_files(path: Path, item: dict[str, Any]) -> None:
    for key in _FILES:
        value = item.get(key)
        if isinstance(value, str) and value:
            raise refusal(
                path,
                f"would read '{value}' (the {key} of a layer).",
                "Give the layer its vocabulary as a list, and save the model again.",
                "unsafe-path",
            )
