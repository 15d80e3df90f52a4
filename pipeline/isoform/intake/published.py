"""Folders as model hubs hold them: a config.json that names a network of a public library, and weights beside it.

The configuration is data and is read here; only the library's own code builds the network, in a child, never code that
lies in the folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoform.intake.zip_archive import refusal

CONFIGURATION = "config.json"
PIPELINE = "model_index.json"
WEIGHTS = (
    "model.safetensors", "model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json",
    "pytorch_model.bin", "pytorch_model.bin.index.json",
    "diffusion_pytorch_model.bin", "diffusion_pytorch_model.bin.index.json",
)  # fmt: skip
"""The names of weights beside a configuration; the first that is there is taken, as the libraries do."""
_PREPROCESSOR = "preprocessor_config.json"
_MOST_BYTES = 16 << 20
_KEYS = {"architecture": "timm", "_class_name": "diffusers", "model_type": "transformers"}
"""A key that only configurations of one library have, in the order in which they are looked for."""


@dataclass(frozen=True)
class Published:
    """A network of a public library.

    Attributes:
        library: timm, diffusers or transformers.
        preprocessor: what the folder says of how inputs are prepared; empty where it says nothing.
    """

    library: str
    config: Mapping[str, Any]
    preprocessor: Mapping[str, Any] = field(default_factory=dict)


def weights_in(folder: Path) -> Path | None:
    """Return the file with the weights, or their index, of a folder with a configuration; None if it is none."""
    if not (folder / CONFIGURATION).is_file():
        return None
    return next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)


def read(folder: Path) -> Published | None:
    """Return what the configuration in ``folder`` names; None where it names no library that is known.

    Raises:
        IsoformError: it is no JSON object, or too large for one.
    """
    if not (folder / CONFIGURATION).is_file():
        return None
    config = _object(folder / CONFIGURATION)
    library = next((name for key, name in _KEYS.items() if isinstance(config.get(key), str)), None)
    if library is None:
        return None
    preprocessor = folder / _PREPROCESSOR
    return Published(library, config, _object(preprocessor) if preprocessor.is_file() else {})


def _object(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _MOST_BYTES:
        raise refusal(path, f"a configuration of {path.stat().st_size} bytes.", kind="zip-bomb")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise refusal(path, f"truncated or damaged: not JSON ({str(error)[:100]}).") from error
    if not isinstance(found, dict):
        raise refusal(path, "not a configuration: JSON, but no object.")
    return found
