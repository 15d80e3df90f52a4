"""Opening a .pt2 archive (torch.export): looked through first, as PyTorch's own loader falls back to pickle and eval.

The graph is JSON and the weights are raw bytes; what needs more than that is refused: pickled weights or constants,
objects, compiled libraries, sample inputs that are more than tensors, expressions that are more than arithmetic, and
calls of anything but operators. Not aware of ONNX.
"""

import io
import json
import logging
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from isoform.errors import IsoformError

_EXPRESSION = re.compile(
    r"(?:Symbol\('\w+'(?:, \w+=(?:True|False))*\)|Float\('[-+\d.e]+', precision=\d+\)"
    r"|[su]\d+|zuf\d+|oo|int_oo|[A-Z][A-Za-z]*|\d+(?:\.\d+)?|[\s()+\-*/,<>=&|~])*"
)
_TARGET = re.compile(
    r"torch\.ops\.(?:aten|higher_order|prims|prim|quantized|quantized_decomposed)\.[\w.]+"
    r"|_operator\.(?:add|sub|mul|truediv|floordiv|mod|pow|neg|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)"
    r"|math\.(?:ceil|floor|trunc|sqrt)|torch\.sym_\w+|torch\._sym_\w+"
)
_OBJECTS = ("custom_obj_", "opaque_obj_")


def opened(path: Path) -> torch.export.ExportedProgram:
    """Return the program in ``path``, nothing in it executed.

    Raises:
        IsoformError: not a .pt2 archive, made by another version of PyTorch, or it holds what would run code.
    """
    refuse_code(path)
    logger = logging.getLogger("torch.export")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return torch.export.load(str(path))
    except Exception as error:  # the loader raises many types for what it does not know
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise IsoformError(
            f"{path}: torch.export does not open it ({lines[0][:200]}).",
            "Save it again with torch.export.save of this version of PyTorch.",
            kind="load",
        ) from error
    finally:
        logger.setLevel(level)


def refuse_code(path: Path) -> None:
    """Refuse an archive whose loading could run code that is in it.

    Raises:
        IsoformError: what was found, by member.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.partition("/")[2]: name for name in archive.namelist()}
            if "archive_format" not in members:
                raise _refusal(path, "it has the format of before PyTorch 2.8, which is pickled")
            for member, name in members.items():
                _refuse_member(path, member, archive, name)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise IsoformError(f"{path}: not a whole .pt2 archive ({error}).", "Save it again.", kind="damaged") from error


def _refuse_member(path: Path, member: str, archive: zipfile.ZipFile, name: str) -> None:
    folder, _, leaf = member.rpartition("/")
    if folder.startswith("data/aotinductor") or leaf.endswith((".so", ".o", ".py", ".cubin")):
        raise _refusal(path, f"'{member}' is compiled code")
    if (folder in ("data/weights", "data/constants") and leaf.endswith(".pt")) or leaf.startswith(_OBJECTS):
        raise _refusal(path, f"'{member}' is pickled")
    if folder in ("data/weights", "data/constants") and leaf.endswith("_config.json"):
        entries = json.loads(archive.read(name))["config"]
        pickled = [entry for entry, payload in entries.items() if payload.get("use_pickle")]
        if pickled:
            raise _refusal(path, f"'{pickled[0]}' is pickled")
    if folder == "data/sample_inputs":
        _refuse_objects(path, member, archive.read(name))
    if folder == "models" and leaf.endswith(".json"):
        _refuse_calls(path, json.loads(archive.read(name)))


def _refuse_objects(path: Path, member: str, content: bytes) -> None:
    if not content:
        return
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:  # the loader raises many types for what it refuses; all mean the same here
        raise _refusal(path, f"'{member}' holds more than tensors") from error


def _refuse_calls(path: Path, program: dict[str, Any]) -> None:
    for key, value in _strings(program):
        if key == "expr_str" and not _EXPRESSION.fullmatch(value):
            raise _refusal(path, f"the size expression {value[:60]!r} is more than arithmetic")
        if key == "target" and value and not _TARGET.fullmatch(value):
            raise _refusal(path, f"it calls '{value[:60]}', which is no operator")


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every string of a JSON value with the key that it stands under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, key)


def _refusal(path: Path, found: str) -> IsoformError:
    return IsoformError(
        f"{path.name}: not opened, {found}.",
        "Save the program again with torch.export.save, plain tensors only; or start from its module.",
        kind="unsafe-archive",
    )
