"""The formats, and how to tell which one a path holds: content before suffix.

To add a format: one row in `FORMATS`, and a signature in `_by_content` where its bytes have one.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from isoform.errors import IsoformError, UsageError


@dataclass(frozen=True)
class Format:
    """One way to write a model down.

    Attributes:
        name: the word on the command line, in the registry and in JSON.
        title: for people.
        suffixes: file endings, most usual first; none for a folder.
        runtime: the format's own runtime, on which an export has to prove itself.
        is_checkpoint: holds weights only, so that it needs the code that builds the network.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    runtime: str
    is_checkpoint: bool = False


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format("keras", "Keras", (".keras", ".weights.h5", ".h5"), "keras"),
        Format("onnx", "ONNX", (".onnx",), "ort-cpu"),
        Format("pt2", "PyTorch export", (".pt2",), "torch-export"),
        Format("savedmodel", "SavedModel", (), "tf"),
        Format("tflite", "TFLite", (".tflite",), "litert"),
        Format("torch", "PyTorch", (".safetensors", ".pt", ".pth", ".bin"), "torch-eager", is_checkpoint=True),
        Format("torchscript", "TorchScript", (".ts", ".torchscript"), "torch-jit"),
    )
}


def lookup(name: str) -> Format:
    """Return the format called ``name``.

    Raises:
        UsageError: there is none; the hint lists them all.
    """
    if name not in FORMATS:
        raise UsageError(f"There is no format '{name}'.", f"One of: {', '.join(FORMATS)}.")
    return FORMATS[name]


def detect(path: Path) -> str:
    """Return the name of the format that ``path`` holds, judged by its bytes first and its suffix last.

    Raises:
        IsoformError: no such path, or nothing here recognises it.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder.", "Check the path.")
    found = _by_content(path) or _by_suffix(path)
    if found is None:
        raise IsoformError(
            f"{path}: not a model in a format known here.",
            f"Known formats: {', '.join(FORMATS)}. A folder needs an isoform.toml or a saved_model.pb.",
            kind="unknown-format",
        )
    return found


def _by_content(path: Path) -> str | None:
    if path.is_dir():
        return "savedmodel" if (path / "saved_model.pb").is_file() else None
    with path.open("rb") as file:
        head = file.read(64)
    if head[4:8] == b"TFL3":
        return "tflite"
    if head[:4] == b"PK\x03\x04":
        return _inside_zip(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000:
        return "torch"
    if head[:8] == b"\x89HDF\r\n\x1a\n":
        return "keras"
    return None


def _inside_zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise IsoformError(
            f"{path}: the zip archive is damaged ({error}).", "Fetch or save the file again.", kind="damaged"
        ) from error
    if "config.json" in names and "metadata.json" in names:
        return "keras"
    inner = {name.split("/", 1)[1] for name in names if "/" in name}
    if "archive_format" in inner or "serialized_exported_program.json" in names:
        return "pt2"
    if "constants.pkl" in inner:
        return "torchscript"
    return "torch" if "data.pkl" in inner else None


def _by_suffix(path: Path) -> str | None:
    if path.is_dir() or path.stat().st_size == 0:
        return None
    for row in FORMATS.values():
        if row.suffixes and path.name.endswith(row.suffixes):
            return row.name
    return None
