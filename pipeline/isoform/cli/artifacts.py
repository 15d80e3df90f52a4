"""Which artifact folders a command means by the paths it is given."""

from collections.abc import Iterable
from pathlib import Path

from isoform.core import spelling
from isoform.core.artifact import RECORD_NAME
from isoform.errors import UsageError


def folders(paths: Iterable[Path]) -> list[Path]:
    """Return every published artifact folder at or below ``paths``, sorted, each once.

    Raises:
        UsageError: a path does not exist, or holds no artifact.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder.", spelling.near_path(path))
        below = sorted(record.parent for record in path.rglob(RECORD_NAME) if not _is_hidden(record, path))
        if not below:
            raise UsageError(f"{path}: no artifact at or below it.", "Make one first: isoform export models/mlp")
        found |= dict.fromkeys(below)
    return list(found)


def _is_hidden(record: Path, start: Path) -> bool:
    return any(part.startswith(".") for part in record.relative_to(start).parts)
