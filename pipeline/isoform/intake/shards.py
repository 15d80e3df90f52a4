"""Checkpoints in several files: the index (``*.index.json``) that says which file holds which weight."""

import json
from pathlib import Path
from typing import Any

from isoform.intake.zip_archive import refusal, refuse_unsafe_name

SUFFIX = ".index.json"
_MOST_INDEX_BYTES = 256 << 20


def read_index(path: Path) -> dict[str, Path]:
    """Return the file of each weight, resolved, all of them there and named within the index's own folder.

    Raises:
        IsoformError: not an index, a name that leads out of the folder, a file that is missing or none.
    """
    weight_map = _weight_map(path)
    found: dict[str, Path] = {}
    for name in sorted(set(weight_map.values())):
        refuse_unsafe_name(path, name)
        file = path.parent / name
        if not file.exists():
            raise refusal(path, f"the shard '{name}' is missing.", "Put all files of the checkpoint in one folder.")
        if not file.is_file() or file.suffix == ".json":
            raise refusal(path, f"'{name}' is not a file with weights.", kind="unsafe-path")
        found[name] = file
    return {weight: found[name] for weight, name in weight_map.items()}


def _weight_map(path: Path) -> dict[str, str]:
    if path.stat().st_size > _MOST_INDEX_BYTES:
        raise refusal(path, f"an index of {path.stat().st_size} bytes.", kind="zip-bomb")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise refusal(path, "a name stands twice in the index.", kind="ambiguous-container")
        return dict(pairs)

    try:
        table = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise refusal(path, f"the index is not JSON or truncated ({str(error)[:100]}).") from error
    found = table.get("weight_map") if isinstance(table, dict) else None
    if not isinstance(found, dict) or not found or not all(isinstance(name, str) for name in found.values()):
        raise refusal(path, "the index has no 'weight_map' from weights to files.")
    return found
